"""From a time series to one vector."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.joint_norm import counted
from affuse.suggestions import unknown


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """The mean over the frames that are present.

    Args:
        x: (B, T, C); finite where absent too.
        mask: (B, T) bool, True = present.

    Returns:
        (B, C) float32 or wider, zero where a clip has no frame.
    """
    weight = mask.unsqueeze(-1)
    total = (x * weight).sum(1, dtype=torch.promote_types(x.dtype, torch.float32))
    return total / weight.sum(1).clamp(min=1)


def masked_max(x: Tensor, mask: Tensor) -> Tensor:
    """The maximum over the frames that are present.

    Args:
        x: (B, T, C).
        mask: (B, T) bool, True = present.

    Returns:
        (B, C), zero where a clip has no frame.
    """
    highest = x.masked_fill(~mask.unsqueeze(-1), torch.finfo(x.dtype).min).amax(1)
    return highest * mask.any(1, keepdim=True)


def masked_statistics(x: Tensor, mask: Tensor) -> Tensor:
    """Mean and deviation of the frames that are present.

    Args:
        x: (B, T, C).
        mask: (B, T) bool, True = present.

    Returns:
        (B, 2 C), zero where a clip has no frame.
    """
    mean = masked_mean(x, mask)
    variance = masked_mean((x - mean.unsqueeze(1)).square(), mask)
    # no gradient of a root at zero, where all frames are one
    return torch.cat((mean, (variance + 1e-6).sqrt() * mask.any(1, keepdim=True)), -1)


class AttentiveMaxPool(nn.Module):
    """A learned weighted mean beside the maximum over the frames that are present.

    Args:
        channels: Channels C of the series.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) and (B, T) -> (B, 2 C), zero where a clip has no frame."""
        mean = (x * attention(self.score, x, mask)).sum(1)
        return torch.cat((mean, masked_max(x, mask)), -1)


class AttentiveStatisticsPool(nn.Module):
    """A learned weighted mean, and the deviation from it, over the frames that are present.

    Args:
        channels: Channels C of the series.

    Source: Okabe, Koshinaka, Shinoda 2018.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Linear(channels, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) and (B, T) -> (B, 2 C), zero where a clip has no frame."""
        weight = attention(self.score, x, mask)
        x = x.masked_fill(~mask.unsqueeze(-1), 0)
        mean = (x * weight).sum(1)
        variance = ((x - mean.unsqueeze(1)).square() * weight).sum(1)
        # no gradient of a root at zero, where all frames are one
        return torch.cat((mean, (variance + 1e-6).sqrt() * mask.any(1, keepdim=True)), -1)


def attention(score: nn.Linear, x: Tensor, mask: Tensor) -> Tensor:
    """Weights (B, T, 1) of frames (B, T, C), zero where absent (B, T), else with a sum of one."""
    absent = ~mask.unsqueeze(-1)
    scores: Tensor = score(x).float().masked_fill(absent, torch.finfo(torch.float32).min)
    return scores.softmax(1) * ~absent


class MeanPool(nn.Module):
    """`masked_mean` as a module; the same arguments as `AttentiveMaxPool`.

    Args:
        channels: Channels C of the series.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) and (B, T) -> (B, C), zero where a clip has no frame."""
        return masked_mean(x, mask)


class StatisticsPool(nn.Module):
    """Mean and deviation over the frames that are present, standardised over clips.

    In training by the clips of a batch that have a frame, then by what these were on average. They
    are divided by the root of their number, so that learning rate and weight decay of a linear
    classifier mean the same for streams of few and of many features.

    Args:
        channels: Channels C of the series.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.standardise = nn.BatchNorm1d(2 * channels, affine=False)
        self.length = (2 * channels) ** 0.5

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, C) and (B, T) -> (B, 2 C), zero where a clip has no frame."""
        pooled, there, norm = masked_statistics(x, mask), mask.any(1), self.standardise
        if not self.training:
            alike = norm(pooled)
        elif counted(norm, int(there.sum())) < 2:  # of which there is no deviation
            alike = F.batch_norm(pooled, norm.running_mean, norm.running_var)
        else:
            alike = torch.zeros_like(pooled).masked_scatter(there.unsqueeze(1), norm(pooled[there]))
        return torch.where(there.unsqueeze(1), alike, 0.0) / self.length


Pooling = Literal["mean", "statistics", "attention-max", "attention-statistics"]


def build_pool(name: Pooling, channels: int) -> tuple[nn.Module, int]:
    """A pooling layer and how many features it gives for so many channels."""
    if name not in POOLS:
        raise unknown("pooling", name, POOLS)
    build, times = POOLS[name]
    return build(channels), times * channels


#: Name -> layer, and features per channel: the mean; the mean beside the deviation from it; a
#: learned mean beside the maximum; a learned mean beside the deviation from it.
POOLS: dict[str, tuple[type[nn.Module], int]] = {
    "mean": (MeanPool, 1),
    "statistics": (StatisticsPool, 2),
    "attention-max": (AttentiveMaxPool, 2),
    "attention-statistics": (AttentiveStatisticsPool, 2),
}
