"""The encoder of Whisper (Radford et al. 2022), any published size.

Radford, Kim, Xu, Brockman, McLeavey, Sutskever: Robust Speech Recognition via Large-Scale Weak
Supervision. ICML 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.whisper_logmel import FRAMES

#: Values of a head in every published size.
HEAD = 64
#: Parameters of a layer.
ENTRIES = 15


class Attention(nn.Module):
    """Self-attention in which every frame sees all others; keys have no bias.

    Args:
        width: Values of a frame, `HEAD` per head.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, width) -> (B, T, width); only what is present by the mask (B, T) is seen."""
        q, k, v = (
            part(x).unflatten(-1, (self.heads, HEAD)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        seen = None if mask is None else mask[:, None, None, :]
        mixed = F.scaled_dot_product_attention(q, k, v, seen)
        mixed = self.out_proj(mixed.transpose(1, 2).flatten(-2))
        return torch.as_tensor(mixed)


class Layer(nn.Module):
    """Attention and two dense layers, each on normalised frames and added to them.

    Args:
        width: Values of a frame.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.self_attn = Attention(width)
        self.self_attn_layer_norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)
        self.final_layer_norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, width) -> (B, T, width); only what is present by the mask (B, T) is seen."""
        x = x + self.self_attn(self.self_attn_layer_norm(x), mask)
        return x + torch.as_tensor(self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))))


class WhisperEncoder(nn.Module):
    """Two convolutions, the second with a stride of 2, positions, and layers of attention.

    Parameters have the names of `transformers`.

    Args:
        mels: Bands of the spectrogram.
        width: Values of a frame; a multiple of `HEAD`.
        layers: How many there are.
        positions: Frames out at most.
        normalised: Whether what comes out of the last layer is; not where later layers are cut off.
    """

    def __init__(
        self,
        mels: int = 80,
        width: int = 512,
        layers: int = 6,
        positions: int = FRAMES // 2,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(mels, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        # zeros: drawing them without memory would import torch's compiler, which takes a second
        self.embed_positions = nn.Embedding.from_pretrained(torch.zeros(positions, width), False)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(width) if normalised else nn.Identity()

    @classmethod
    def like(cls, shapes: Mapping[str, tuple[int, ...]], normalised: bool = True) -> Self:
        """An encoder, without memory for its weights, whose parameters have some shapes.

        Args:
            shapes: Name -> shape of the parameters.
            normalised: As for an encoder.

        Raises:
            KeyError: One that tells its size is missing.
            ValueError: No published size has such shapes.
        """
        width, mels, kernel = shapes["conv1.weight"]
        positions, _ = shapes["embed_positions.weight"]
        layers = 1 + max(
            (int(name.split(".")[1]) for name in shapes if "layers." in name), default=-1
        )
        if kernel != 3 or not 0 < layers * ENTRIES < len(shapes) or width % HEAD or positions < 1:
            raise ValueError("no size of Whisper has such weights")
        with torch.device("meta"):
            return cls(mels, width, layers, positions, normalised)

    def forward(self, mel: Tensor) -> list[Tensor]:
        """What every layer makes of a spectrogram.

        Args:
            mel: (B, mels, T), at 100 Hz; T is even, and at most twice the positions.

        Returns:
            layers + 1 of (B, T / 2, width), at 50 Hz: what goes into the first layer, what comes
            out of each, and of the last one what its normalisation makes of it.
        """
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel)))).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]]
        states = [x]
        for layer in self.layers:
            states.append(layer(states[-1]))
        return [*states[:-1], self.layer_norm(states[-1])]
