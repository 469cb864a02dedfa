"""Dropout whose random numbers cost no more than the layers that it drops values of.

On a CPU torch draws every number from a generator that takes five times as long as all else that
dropout does, and in a transformer half of a step. Here one number of torch's generator seeds
another one for each call, so that a training still follows its seed.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEVELS = 1 << 16


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` by `dropout`."""

    def forward(self, input: Tensor) -> Tensor:
        """Of any shape -> the same."""
        return dropout(input, self.p, self.training)


def dropout(x: Tensor, rate: float, training: bool = True) -> Tensor:
    """Each value zero with a probability, and the others larger, so that the mean stays.

    Args:
        x: Of any shape.
        rate: The probability; on a CPU in steps of 1 / 65,536.
        training: Otherwise nothing is changed.
    """
    if not training or not rate:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, rate)
    levels = round(rate * _LEVELS)
    if levels >= _LEVELS:
        return x * 0
    return x * _factors(x.shape, levels).to(x.dtype)


def _factors(shape: torch.Size, levels: int) -> Tensor:
    """Float32: zero with a probability of so many of 65,536, and otherwise above one."""
    seed = int(torch.randint(1 << 62, ()))
    count = math.prod(shape)
    words = np.random.Generator(np.random.SFC64(seed)).integers(
        0, (1 << 64) - 1, -(-count // 4), np.uint64, endpoint=True
    )
    kept = words.view(np.uint16)[:count] >= levels
    factor = np.float32(_LEVELS / (_LEVELS - levels))
    return torch.from_numpy(np.multiply(kept, factor, dtype=np.float32)).view(shape)
