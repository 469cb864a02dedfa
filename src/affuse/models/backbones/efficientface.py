"""EfficientFace: a small network for facial expressions (Zhao, Liu and Zhou, AAAI 2021).

ShuffleNet-v2 units, with a local feature extractor for the four quarters of the face and a
channel-spatial modulator after the first stage. Everything runs channels-last, which on a CPU
takes about half the time.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Normalisation
from affuse.models.layers.batch_norm import BatchNorm2d
from affuse.models.layers.temporal import masked_norm

SIZE = 224
FEATURES = 1024

# The statistics of AffectNet, on which the published weights were trained (in levels of 0..255).
AFFECTNET = Normalisation(
    mean=tuple(255 * x for x in (0.55391484, 0.43522123, 0.3821877)),
    std=tuple(255 * x for x in (0.24837189, 0.21625527, 0.20221159)),
)


class Convolution(nn.Conv2d):
    """A convolution that stays in 32 bits on a CPU if it halves the size channel by channel.

    Its gradient in bfloat16 takes several times as long there, and was half of a training.
    """

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Conv2d`."""
        slow = self.groups > 1 and self.stride == (2, 2) and x.device.type == "cpu"
        if not slow or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list:
    """A convolution without bias that keeps the size (or halves it), and its normalisation."""
    conv = Convolution(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, BatchNorm2d(outputs)]


def interleave(first: Tensor, second: Tensor) -> Tensor:
    """Channels of two maps (N, C, H, W), taken in turn: (N, 2 C, H, W), channels-last.

    This is concatenation and the channel shuffle with two groups in one copy.
    """
    for part in (first, second):
        if part.requires_grad:  # ReLUs take five times as long on every second number of a row
            part.register_hook(_dense)
    pair = torch.stack((first.permute(0, 2, 3, 1), second.permute(0, 2, 3, 1)), dim=-1)
    return pair.flatten(3).permute(0, 3, 1, 2)


def _dense(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


class ShuffleUnit(nn.Module):
    """Inverted-residual unit of ShuffleNet v2.

    Args:
        inputs: Channels in.
        outputs: Channels out; equal to `inputs` at stride 1.
        stride: 1 or 2.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        half = outputs // 2
        self.branch1: nn.Module | None = None
        if stride == 2:
            self.branch1 = nn.Sequential(
                *conv_norm(inputs, inputs, 3, 2, groups=inputs),
                *conv_norm(inputs, half, 1),
                nn.ReLU(inplace=True),
            )
        self.branch2 = nn.Sequential(
            *conv_norm(inputs if stride == 2 else half, half, 1),
            nn.ReLU(inplace=True),
            *conv_norm(half, half, 3, stride, groups=half),
            *conv_norm(half, half, 1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        if self.branch1 is not None:
            return interleave(self.branch1(x), self.branch2(x))
        kept, changed = x.chunk(2, dim=1)
        return interleave(kept, self.branch2(changed))


class Modulator(nn.Module):
    """Scales a map by the sigmoid of a channel gate times a spatial gate.

    Args:
        channels: Channels of the map.
        reduction: Channels per channel of the two gates.
    """

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = channels // reduction
        self.squeeze = nn.Linear(channels, hidden)
        self.norm = nn.BatchNorm1d(hidden)
        self.excite = nn.Linear(hidden, channels)
        self.spatial = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=4, dilation=4),
            BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=4, dilation=4),
            BatchNorm2d(hidden),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, 1, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        pooled = self.squeeze(x.mean((2, 3))).unsqueeze(-1)
        present = torch.ones(x.shape[0], 1, dtype=torch.bool, device=x.device)
        channel = self.excite(F.relu(masked_norm(self.norm, pooled, present)).squeeze(-1))
        return torch.sigmoid(channel[:, :, None, None] * self.spatial(x)) * x


class LocalFeatures(nn.Module):
    """Separate convolutions for the four quarters of a map.

    Args:
        inputs: Channels in.
        outputs: Channels out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.quarters = nn.ModuleList(
            nn.Sequential(
                *conv_norm(inputs, outputs, 3, 2, groups=inputs),
                nn.ReLU(inplace=True),
                *conv_norm(outputs, outputs, 3, groups=outputs),
                nn.ReLU(inplace=True),
            )
            for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / 2, W / 2)."""
        top, bottom = x.chunk(2, dim=2)
        # Order of the published weights: top left, bottom left, top right, bottom right.
        patches = [part for rows in (top, bottom) for part in rows.chunk(2, dim=3)]
        order = (patches[0], patches[2], patches[1], patches[3])
        a, b, c, d = (net(part) for net, part in zip(self.quarters, order, strict=True))
        return torch.cat((torch.cat((a, b), 2), torch.cat((c, d), 2)), 3)


class EfficientFace(nn.Module):
    """Images of faces to feature vectors; a linear layer on them classifies."""

    outputs = FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_norm(3, 29, 3, 2), nn.ReLU(inplace=True))
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.stage2 = self._stage(29, 116, 4)
        self.local = LocalFeatures(29, 116)
        self.modulator = Modulator(116)
        self.stage3 = self._stage(116, 232, 8)
        self.stage4 = self._stage(232, 464, 4)
        self.last = nn.Sequential(*conv_norm(464, FEATURES, 1), nn.ReLU(inplace=True))

    @staticmethod
    def _stage(inputs: int, outputs: int, units: int) -> nn.Sequential:
        first = ShuffleUnit(inputs, outputs, 2)
        return nn.Sequential(first, *(ShuffleUnit(outputs, outputs, 1) for _ in range(units - 1)))

    def forward(self, images: Tensor) -> Tensor:
        """Feature vectors.

        Args:
            images: (N, 3, S, S) float, normalised RGB (see `AFFECTNET`); S is 224 as published, or
                another multiple of 16.

        Returns:
            (N, 1024), not negative.

        Raises:
            ValueError: The images have another size, which has no quarters.
        """
        shape = tuple(images.shape)
        if shape[1] != 3 or shape[2] != shape[3] or shape[2] % 16 or not shape[2]:
            raise ValueError(
                f"EfficientFace takes images (N, 3, 224, 224) or of another multiple of 16, not "
                f"{shape}"
            )
        x = self.pool(self.stem(images.contiguous(memory_format=torch.channels_last)))
        x = self.modulator(self.stage2(x)) + self.local(x)
        return self.last(self.stage4(self.stage3(x))).mean((2, 3))
