"""From a time series to one vector."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

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
        absent = ~mask.unsqueeze(-1)
        score = self.score(x).float().masked_fill(absent, torch.finfo(torch.float32).min)
        mean = (x * score.softmax(1) * ~absent).sum(1)
        return torch.cat((mean, masked_max(x, mask)), -1)


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


Pooling = Literal["mean", "attention-max"]


def build_pool(name: Pooling, channels: int) -> tuple[nn.Module, int]:
    """A pooling layer and how many features it gives for so many channels."""
    if name == "mean":
        return MeanPool(channels), channels
    if name == "attention-max":
        return AttentiveMaxPool(channels), 2 * channels
    raise unknown("pooling", name, ("mean", "attention-max"))
