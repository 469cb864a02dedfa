"""Batch normalisation of maps whose statistics are accurate in any memory layout.

On a CPU torch adds up the statistics of a channels-last map one value after the other in 32 bits.
Over the millions of values per channel of a batch of frames the variance is then wrong by up to
half a per cent, and the gradients of a deep network by half. Here neighbouring places are taken as
further channels, so that every sum is over few values, and the sums are joined in 64 bits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: How many values are added up one after the other, and how many sums go on side by side, about as
#: many as the innermost cache holds.
_VALUES, _WIDTH = 64, 4096

#: Map dimensions -> the layout whose sums need care.
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, accurate for channels-last maps on a CPU too."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and layout."""
        return _normalise(self, input) if _needs_care(self, input) else super().forward(input)


class BatchNorm3d(nn.BatchNorm3d):
    """`torch.nn.BatchNorm3d`, accurate for channels-last maps on a CPU too."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and layout."""
        return _normalise(self, input) if _needs_care(self, input) else super().forward(input)


def _needs_care(norm: nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> bool:
    return norm.training and x.device.type == "cpu" and not x.is_contiguous()


def _normalise(norm: nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> Tensor:
    """What the layer gives in training, and the step of its running statistics."""
    x = x.contiguous(memory_format=_CHANNELS_LAST[x.ndim])
    mean, variance = channel_statistics(x.detach())
    if norm.track_running_stats:
        assert norm.running_mean is not None and norm.running_var is not None
        assert norm.num_batches_tracked is not None
        norm.num_batches_tracked.add_(1)
        step = norm.momentum
        if step is None:
            step = 1 / int(norm.num_batches_tracked)
        count = x.numel() // x.shape[1]
        # By `data`, as torch does it: an earlier call may keep them for its gradient, unused.
        norm.running_mean.data.lerp_(mean.to(norm.running_mean), step)
        norm.running_var.data.lerp_((variance * (count / (count - 1))).to(norm.running_var), step)
    normalised: Tensor = _Normalise.apply(x, norm.weight, norm.bias, mean, variance, norm.eps)
    return normalised


def channel_statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of a channels-last map.

    Args:
        x: (N, C, ...) of any floating type.

    Returns:
        (C,) mean and (C,) population variance, float64; of float32 their relative error is about
        1e-8 where the deviation is not much smaller than the mean.
    """
    channels = x.shape[1]
    rows = x.movedim(1, -1).reshape(-1, channels)
    lanes = max(1, _WIDTH // channels)
    counts, means, variances = [], [], []
    for part in rows.split(lanes * _VALUES):
        whole = len(part) - len(part) % lanes
        for piece, side in ((part[:whole], lanes), (part[whole:], 1)):
            if len(piece):
                mean, variance = _statistics(piece.reshape(-1, side * channels))
                counts += [len(piece) // side] * side
                means.append(mean.view(side, channels))
                variances.append(variance.view(side, channels))
    share = torch.tensor(counts, dtype=torch.float64)[:, None] / len(rows)
    own, spread = torch.cat(means).double(), torch.cat(variances).double()
    mean = (share * own).sum(0)
    return mean, (share * (spread + (own - mean) ** 2)).sum(0)


def _statistics(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each column (rows, columns), added up in 32 bits by torch."""
    # Running statistics, which stay zero, have torch return those of 16 bits in 32.
    kept = torch.zeros(2, rows.shape[1], dtype=torch.promote_types(rows.dtype, torch.float32))
    found: tuple[Tensor, Tensor] = torch.batch_norm_update_stats(
        rows.T[None, :, :, None], kept[0], kept[1], 0.0
    )
    return found


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
        gradient = gradients[0].contiguous(memory_format=_CHANNELS_LAST[x.ndim])
        wanted = list(ctx.needs_input_grad[:3])
        found = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, None, None, mean, scale, True, ctx.eps, wanted
        )
        return (*(x if w else None for x, w in zip(found, wanted, strict=True)), None, None, None)
