"""What the averaged weights of a training are an average of."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from affuse.training.averaging import moving_mean


def averaged(decay: float, values: list[float]) -> float:
    """The average of a weight, and of a statistic, that take these values step by step."""
    net = nn.BatchNorm1d(1)
    mean = AveragedModel(net, use_buffers=True, avg_fn=moving_mean(decay))
    for value in values:
        with torch.no_grad():
            net.weight.fill_(value)
            net.running_var.fill_(value)
            net.num_batches_tracked += 1
        mean.update_parameters(net)
    assert mean.module.weight.item() == mean.module.running_var.item()
    assert mean.module.num_batches_tracked.item() == len(values)
    return mean.module.weight.item()


def test_a_weight_that_stays_is_its_own_average() -> None:
    assert averaged(0.99, [0.3] * 50) == pytest.approx(0.3)


def test_the_first_weights_are_soon_forgotten() -> None:
    assert averaged(0.998, [1.0] + [0.0] * 60) < 1e-4


def test_after_many_steps_the_average_is_the_plain_one() -> None:
    values = torch.rand(3000, generator=torch.Generator().manual_seed(0)).tolist()
    plain = values[0]
    for value in values[1:]:
        plain = 0.99 * plain + 0.01 * value
    assert averaged(0.99, values) == pytest.approx(plain, rel=1e-4)
