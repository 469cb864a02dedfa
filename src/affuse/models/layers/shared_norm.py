"""Batch normalisation by the values of all processes that train together.

`torch.nn.SyncBatchNorm` does it on GPUs alone, and not where a process has no values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

#: Those that train together, apart from what sums up gradients meanwhile.
_group: list[Any] = []


@contextmanager
def shared_norms(model: nn.Module) -> Iterator[None]:
    """Within the block batch normalisation in a model counts the values of all processes.

    Args:
        model: The same in all processes, each of which applies every norm equally often.
    """
    if not (distributed.is_available() and distributed.is_initialized()):
        yield
        return
    before = {x: type(x) for x in model.modules() if isinstance(x, _BatchNorm)}
    _group.append(distributed.new_group())
    for norm in before:
        norm.__class__ = SharedNorm
    try:
        yield
    finally:
        for norm, kind in before.items():
            norm.__class__ = kind
        _group.pop()


def counted(module: nn.Module, values: int) -> int:
    """How many values a norm, or those of a network, will see: of all processes if it is shared.

    Args:
        module: A norm, or a network with norms, in training mode.
        values: Of this process.
    """
    if not _group or not any(isinstance(part, SharedNorm) for part in module.modules()):
        return values
    total = torch.tensor(values)
    distributed.all_reduce(total, group=_group[-1])
    return int(total)


class SharedNorm(_BatchNorm):
    """A norm within `shared_norms`."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C) or (N, C, ...) with an N of each process, which may be 0 -> the same shape."""
        if not self.training:
            return super().forward(input)
        count, mean, variance = _statistics(input.detach())
        if self.track_running_stats:
            assert self.running_mean is not None and self.running_var is not None
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            step = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
            known = variance * (count / max(count - 1, 1))
            self.running_mean.data.lerp_(mean.to(self.running_mean), step)
            self.running_var.data.lerp_(known.to(self.running_var), step)
        normed: Tensor = _Normalise.apply(
            input, self.weight, self.bias, mean.float(), variance.float(), count, self.eps
        )
        return normed

    def _check_input_dim(self, input: Tensor) -> None:
        pass


def _places(x: Tensor) -> list[int]:
    return [d for d in range(x.ndim) if d != 1]


def _statistics(x: Tensor) -> tuple[float, Tensor, Tensor]:
    """Number, mean and variance (C,), float64, of the values of each channel in all processes."""
    number = x.numel() // x.shape[1]
    own = x.new_zeros(2, x.shape[1], dtype=torch.float64)
    if number:
        own = torch.stack(torch.var_mean(x.float(), _places(x), correction=0)).double()
    sent = torch.cat([own.new_full((1,), number), own.flatten()])
    parts = [torch.empty_like(sent) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, sent, group=_group[-1])
    each = torch.stack(parts)
    counts = each[:, :1]
    variances, means = each[:, 1:].unflatten(1, (2, -1)).unbind(1)
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    variance = (counts * (variances + (means - mean) ** 2)).sum(0) / total
    return float(total), mean, variance


class _Normalise(torch.autograd.Function):
    """Normalisation whose gradient knows that the statistics are those of all processes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        count: float,
        eps: float,
    ) -> Tensor:
        ctx.count, scale = count, (variance + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, scale)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        places, gradient = _places(x), gradients[0].float()
        column = (1, -1, *[1] * (x.ndim - 2))
        normed = (x.float() - mean.view(column)) * scale.view(column)
        own = torch.stack([gradient.sum(places), (gradient * normed).sum(places)])
        every = own.double()
        distributed.all_reduce(every, group=_group[-1])
        shift, slope = (every / ctx.count).to(gradient).view(2, *column[:1], -1, *column[2:])
        factor = scale if weight is None else scale * weight
        back = factor.view(column) * (gradient - shift - normed * slope)
        found = None if weight is None else own[1].to(weight)
        moved = None if weight is None else own[0].to(weight)
        return back.to(x), found, moved, None, None, None, None
