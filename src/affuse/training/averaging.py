"""Averaged weights: an exponential moving average over the steps of a training."""

from __future__ import annotations

from collections.abc import Callable

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

Mean = Callable[[Tensor, Tensor, Tensor], Tensor]


def moving_mean(decay: float) -> Mean:
    """(average, current, number of steps n) -> the next average.

    The old average counts for (1 + n) / (10 + n), at most for `decay`: so the first weights are
    soon forgotten, however short a training is. Counters are not averaged.

    Args:
        decay: What the old average counts for in the end.
    """

    def mean(averaged: Tensor, current: Tensor, count: Tensor) -> Tensor:
        if not averaged.is_floating_point():
            return current
        kept = ((1 + count) / (10 + count)).clamp(max=decay)
        return torch.lerp(current, averaged, kept.to(averaged.dtype))

    return mean


class AveragedWeights(WeightAveraging):
    """Keeps the moving average of weights and of the statistics of batch normalisation.

    Args:
        decay: See `moving_mean`.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=True, avg_fn=moving_mean(decay))
