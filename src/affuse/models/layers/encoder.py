"""Transformer encoder over one time series, or from one to another (Goncalves and Busso 2022).

Layer normalisation comes first in every block. In an encoder from one series to another, keys and
values are the same embedded series in every layer; only the queries are transformed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.alignment import series_lengths
from affuse.models.layers.attention import PackedAttention
from affuse.models.layers.dropout import dropout


@dataclass(frozen=True)
class EncoderDropout:
    """Probabilities of dropping a value in training.

    Args:
        attention: An attention weight.
        hidden: A hidden unit of a feed-forward block.
        residual: What a block adds.
        embedding: A value that enters the encoder.
    """

    attention: float = 0.1
    hidden: float = 0.1
    residual: float = 0.1
    embedding: float = 0.25


@dataclass(frozen=True)
class Steps:
    """The frames of a series as attention counts them: from the first present one to the last.

    Args:
        mask: (B, T) bool, which are present.
        index: (B, T) int64, 0 at the first present frame.
        length: (B,) int64, from the first present frame to the last, both included.
    """

    mask: Tensor
    index: Tensor
    length: Tensor

    @classmethod
    def of(cls, mask: Tensor) -> Steps:
        """The steps of a series with this mask."""
        frames = mask.shape[1]
        steps = torch.arange(frames, device=mask.device)
        first = frames - ((frames - steps) * mask).amax(1)
        last = series_lengths(mask) - 1
        return cls(mask, steps - first.unsqueeze(1), last - first + 1)


def visible(queries: Steps, keys: Steps, band: bool) -> Tensor:
    """Which keys a query may attend to.

    Args:
        queries: Steps of the queries.
        keys: Steps of the keys.
        band: Only keys up to the query's own number plus the difference of the two lengths,
            whichever is longer: within one series, what has been; otherwise all present keys.

    Returns:
        (B, Nq, Nk) bool, or (B, 1, Nk) without a band.
    """
    present = keys.mask.unsqueeze(1)
    if not band:
        return present
    margin = (keys.length - queries.length).abs()[:, None, None]
    return present & (keys.index.unsqueeze(1) <= queries.index.unsqueeze(2) + margin)


def sinusoids(places: Tensor, width: int) -> Tensor:
    """Position embeddings: all sines, then all cosines, of 1 to 1/10000 radians per place.

    Args:
        places: (B, T) int64, from 1; 0 and below for no position.
        width: Values per frame; an odd last one is zero.

    Returns:
        (B, T, width) float32, zero where there is no position.
    """
    half = width // 2
    steps = torch.arange(half, device=places.device, dtype=torch.float32)
    rates = torch.exp(steps * (-math.log(10000) / max(half - 1, 1)))
    table = torch.arange(places.shape[1] + 1, device=places.device).unsqueeze(1) * rates
    table = torch.cat((table.sin(), table.cos()), 1)
    table = F.pad(table, (0, width - 2 * half))
    return table[places.clamp(min=0)] * (places > 0).unsqueeze(-1)


class EncoderLayer(nn.Module):
    """Attention and a feed-forward block with four hidden units per channel.

    Args:
        width: Channels.
        heads: Attention heads.
        dropout: Probabilities.
        scaled: Weigh what enters a block by a learned `alpha`, and what the block adds by
            1 - `alpha`; the same number for both blocks.
    """

    def __init__(self, width: int, heads: int, dropout: EncoderDropout, scaled: bool) -> None:
        super().__init__()
        self.dropout = dropout
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = PackedAttention(width, heads, dropout.attention)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.alpha = nn.Parameter(torch.rand(1)) if scaled else None
        for layer in (self.attention.qkv, self.fc1, self.fc2):
            nn.init.xavier_uniform_(layer.weight)
        for layer in (self.attention.qkv, self.attention.proj, self.fc1, self.fc2):
            nn.init.zeros_(layer.bias)

    def forward(
        self, x: Tensor, allowed: Tensor, memory: tuple[Tensor, Tensor] | None = None
    ) -> Tensor:
        """One step of the encoder.

        Args:
            x: (B, Nq, C).
            allowed: (B, Nq or 1, Nk) bool, which keys a query may attend to.
            memory: Keys and values (B, Nk, C); None for those of `x`.

        Returns:
            (B, Nq, C).
        """
        y = keys = values = self.norm1(x)
        if memory is not None:
            keys = self.norm1(memory[0])
            values = keys if memory[1] is memory[0] else self.norm1(memory[1])
        x = self._add(x, self.attention(y, keys, values, allowed))
        hidden = self._drop(F.relu(self.fc1(self.norm2(x))), self.dropout.hidden)
        return self._add(x, self.fc2(hidden))

    def _add(self, x: Tensor, added: Tensor) -> Tensor:
        added = self._drop(added, self.dropout.residual)
        return x + added if self.alpha is None else self.alpha * x + (1 - self.alpha) * added

    def _drop(self, x: Tensor, rate: float) -> Tensor:
        return dropout(x, rate, self.training)


class Encoder(nn.Module):
    """A stack of layers and a last layer normalisation.

    Args:
        width: Channels.
        layers: Number of layers.
        heads: Attention heads.
        dropout: Probabilities.
        scaled: See `EncoderLayer`.
    """

    def __init__(
        self,
        width: int,
        layers: int,
        heads: int,
        dropout: EncoderDropout,
        scaled: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.dropout = width, dropout
        self.layers = nn.ModuleList(
            EncoderLayer(width, heads, dropout, scaled) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        x: Tensor,
        allowed: Tensor,
        places: Tensor | None = None,
        memory: Tensor | None = None,
        memory_places: Tensor | None = None,
    ) -> Tensor:
        """Encode a series.

        Args:
            x: (B, Nq, C), finite where absent too.
            allowed: (B, Nq or 1, Nk) bool, which keys a query may attend to; a query without any
                gathers nothing.
            places: (B, Nq, C) position embeddings of `x`; None for none.
            memory: (B, Nk, C), what is attended to; `x` itself by default.
            memory_places: (B, Nk, C) position embeddings of `memory`; None for none.

        Returns:
            (B, Nq, C), without meaning where `x` is absent.
        """
        x = self._embed(x, places)
        attended = None
        if memory is not None:
            keys = self._embed(memory, memory_places)
            # As published, keys and values lose different values in training.
            differ = self.training and self.dropout.embedding > 0
            attended = keys, self._embed(memory, memory_places) if differ else keys
        for layer in self.layers:
            x = layer(x, allowed, attended)
        return self.norm(x)

    def _embed(self, x: Tensor, places: Tensor | None) -> Tensor:
        # Sums over many layers are kept in single precision, whatever computes the layers.
        x = x.to(torch.promote_types(x.dtype, torch.float32)) * math.sqrt(self.width)
        return dropout(x if places is None else x + places, self.dropout.embedding, self.training)
