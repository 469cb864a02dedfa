"""Batch normalisation of maps whose statistics are accurate in any memory layout."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.channel_statistics import CHANNELS_LAST, channel_statistics, needs_care
from affuse.models.layers.joint_norm import joins, joint_norm, step_running


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, accurate for channels-last maps on a CPU too.

    Within `counted_rows` it counts each row as often as that says.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and layout."""
        own = _normalise(self, input) if self.training else None
        return super().forward(input) if own is None else own


class BatchNorm3d(nn.BatchNorm3d):
    """`torch.nn.BatchNorm3d`, as `BatchNorm2d`."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and layout."""
        own = _normalise(self, input) if self.training else None
        return super().forward(input) if own is None else own


def _normalise(norm: nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> Tensor | None:
    """What a layer gives in training where torch's own is not enough."""
    if joins(norm):
        return joint_norm(norm, x)
    if not needs_care(x):
        return None
    x = x.contiguous(memory_format=CHANNELS_LAST[x.ndim])
    mean, variance = channel_statistics(x.detach())
    step_running(norm, x.numel() // x.shape[1], mean, variance)
    normalised: Tensor = _Normalise.apply(x, norm.weight, norm.bias, mean, variance, norm.eps)
    return normalised


class _Normalise(torch.autograd.Function):
    """Normalisation with the statistics of the batch, which its gradient takes into account."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, eps: float
    ) -> Tensor:
        ctx.eps = eps
        kept = weight.dtype
        ctx.save_for_backward(x, weight, mean.to(kept), (var + eps).rsqrt().to(kept))
        return F.batch_norm(x, mean.to(kept), var.to(kept), weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor | None, ...]:
        x, weight, mean, scale = ctx.saved_tensors
        gradient = gradients[0].contiguous(memory_format=CHANNELS_LAST[x.ndim])
        wanted = list(ctx.needs_input_grad[:3])
        found = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, scale, True, ctx.eps, wanted
        )
        return (*(x if w else None for x, w in zip(found, wanted, strict=True)), None, None, None)
