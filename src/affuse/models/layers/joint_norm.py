"""Batch normalisation with statistics that torch does not have.

They are accurate in any memory layout; rows can stand for several that are equal, and are computed
once; and processes that train together count the values of all of them. `torch.nn.SyncBatchNorm`
does the latter on GPUs alone, and not where a process has no values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from affuse.models.layers.channel_statistics import CHANNELS_LAST, moments, needs_care

#: Those that train together, apart from what sums up gradients meanwhile.
_group: list[Any] = []
#: Rows of the network that is being computed: how many, and how many each of them stands for.
_runs: list[list[tuple[int, int]]] = []


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


@contextmanager
def counted_rows(counts: Tensor) -> Iterator[None]:
    """Within the block each row of a network stands for several that are equal.

    Args:
        counts: (N,) int64, how many each stands for, in ascending order.
    """
    each, rows = torch.unique_consecutive(counts, return_counts=True)
    _runs.append(list(zip(rows.tolist(), each.tolist(), strict=True)))
    try:
        yield
    finally:
        _runs.pop()


def joins(norm: nn.Module) -> bool:
    """Whether a norm in training mode has to count more than the values at hand."""
    return bool(_runs) or isinstance(norm, SharedNorm)


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
        return joint_norm(self, input) if self.training else super().forward(input)

    def _check_input_dim(self, input: Tensor) -> None:
        pass


def joint_norm(norm: _BatchNorm, x: Tensor) -> Tensor:
    """What a norm in training mode makes of rows, and the step of its running statistics.

    Args:
        norm: The layer.
        x: (N, C) or (N, C, ...); within `counted_rows` of as many rows as counts.

    Returns:
        The shape of `x`.
    """
    if needs_care(x):
        x = x.contiguous(memory_format=CHANNELS_LAST[x.ndim])
    group = _group[-1] if isinstance(norm, SharedNorm) else None
    runs = _runs[-1] if _runs else [(len(x), 1)]
    count, mean, variance = _statistics(x.detach(), runs, group)
    _step_running(norm, count, mean, variance)
    kept = torch.promote_types(x.dtype, torch.float32)
    normed: Tensor = _Normalise.apply(
        x, norm.weight, norm.bias, mean.to(kept), variance.to(kept), count, norm.eps, runs, group
    )
    return normed


def _step_running(norm: _BatchNorm, count: float, mean: Tensor, variance: Tensor) -> None:
    """Move the running statistics of a norm to the mean and population variance (C,) of a batch."""
    if not norm.track_running_stats:
        return
    assert norm.running_mean is not None and norm.running_var is not None
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    step = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    known = variance * (count / max(count - 1, 1))
    # By `data`, as torch does it: an earlier call may keep them for its gradient, unused.
    norm.running_mean.data.lerp_(mean.to(norm.running_mean), step)
    norm.running_var.data.lerp_(known.to(norm.running_var), step)


def _statistics(x: Tensor, runs: list[tuple[int, int]], group: Any) -> tuple[float, Tensor, Tensor]:
    """Number, mean and variance (C,), float64, of the values of each channel."""
    places, parts = x.shape[2:].numel(), []
    for rows, (_, each) in zip(x.split([rows for rows, _ in runs]), runs, strict=True):
        found = torch.cat(moments(rows)) if len(rows) else x.new_zeros(2 * x.shape[1])
        parts.append(F.pad(found.double(), (1, 0), value=len(rows) * places * each))
    own, count = _joined(parts), float(sum(rows * each for rows, each in runs) * places)
    if group is not None:
        parts = [torch.empty_like(own) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, own, group=group)
        own = _joined(parts)
        count = float(own[0])
    mean, variance = own[1:].chunk(2)
    return count, mean, variance


def _joined(parts: list[Tensor]) -> Tensor:
    """Number, means and variances, in a row of 1 + 2 C, of values of which parts tell the same."""
    each = torch.stack(parts)
    counts, (means, variances) = each[:, :1], each[:, 1:].chunk(2, dim=1)
    total = counts.sum()
    mean = (counts * means).sum(0) / total.clamp(min=1)
    variance = (counts * (variances + (means - mean) ** 2)).sum(0) / total.clamp(min=1)
    return torch.cat([total[None], mean, variance])


class _Normalise(torch.autograd.Function):
    """Normalisation whose gradient knows what the statistics are made from.

    With values x, their normed ones n and the gradient g of what comes out, summed over all that
    a row stands for, the gradient of a row that stands for k is

        weight / deviation * (g - k (sum(g) + n sum(g n)) / count).
    """

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
        runs: list[tuple[int, int]],
        group: Any,
    ) -> Tensor:
        ctx.count, ctx.eps, ctx.runs, ctx.group = count, eps, runs, group
        ctx.save_for_backward(x, weight, mean, variance)
        return F.batch_norm(x, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, variance = ctx.saved_tensors
        gradient, scale = gradients[0], (variance + ctx.eps).rsqrt()
        if needs_care(x):
            gradient = gradient.contiguous(memory_format=CHANNELS_LAST[x.ndim])
        if ctx.group is None and all(each == 1 for _, each in ctx.runs):
            wanted = list(ctx.needs_input_grad[:3])
            found = _of_rows(gradient, x, weight, mean, scale, ctx.eps, wanted)
            return *(g if w else None for g, w in zip(found, wanted, strict=True)), *[None] * 6
        ones = torch.ones_like(mean)
        sums = _of_rows(gradient, x, ones, mean, scale, ctx.eps, [False, True, True])[1:]
        every = torch.stack(sums).double()
        if ctx.group is not None:
            distributed.all_reduce(every, group=ctx.group)
        slope, shift = (every / ctx.count).to(scale)
        factor = scale if weight is None else scale * weight
        column = (1, -1, *[1] * (x.ndim - 2))
        back = torch.empty_like(x)
        sizes = [rows for rows, _ in ctx.runs]
        for to, rows, g, (_, each) in zip(
            back.split(sizes), x.split(sizes), gradient.split(sizes), ctx.runs, strict=True
        ):
            lost = -each * factor * slope, -each * factor * shift
            from_others = F.batch_norm(rows, mean, variance, *lost, eps=ctx.eps)
            torch.addcmul(from_others, g, factor.view(column).to(g), out=to)
        of_weights = (None, None) if weight is None else (part.to(weight) for part in sums)
        return back, *of_weights, *[None] * 6


def _of_rows(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor | None,
    mean: Tensor,
    scale: Tensor,
    eps: float,
    wanted: list[bool],
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of values, weight and bias, where the statistics are those of the rows."""
    if not len(x):
        return x, torch.zeros_like(mean), torch.zeros_like(mean)
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.native_batch_norm_backward(
        gradient, x, weight, None, None, mean, scale, True, eps, wanted
    )
    return found
