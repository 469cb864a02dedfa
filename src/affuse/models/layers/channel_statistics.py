"""Mean and variance of the channels of a map, accurate in any memory layout.

On a CPU torch adds up the statistics of a channels-last map one value after the other in 32 bits.
Over the millions of values per channel of a batch of frames the variance is then wrong by up to
half a per cent, and the gradients of a deep network by half. Here neighbouring places are taken as
further channels, so that every sum is over few values, and the sums are joined in 64 bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: How many values are added up one after the other, and how many sums go on side by side, about as
#: many as the innermost cache holds.
_VALUES, _WIDTH = 64, 4096

#: Map dimensions -> the layout whose sums need care.
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def needs_care(x: Tensor) -> bool:
    """Whether the sums of values (N, C, ...) need care."""
    return x.device.type == "cpu" and x.ndim in CHANNELS_LAST and not x.is_contiguous()


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of values in any layout.

    Args:
        x: (N, C) or (N, C, ...) of any floating type.

    Returns:
        (C,) mean and (C,) population variance, in at least 32 bits.
    """
    if needs_care(x):
        return _of_channels_last(x.contiguous(memory_format=CHANNELS_LAST[x.ndim]))
    if x.device.type == "cpu" and x.shape[2:].numel() > 1:
        return _statistics(x)
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    variance, mean = torch.var_mean(wide, [d for d in range(x.ndim) if d != 1], correction=0)
    return mean, variance


def _of_channels_last(x: Tensor) -> tuple[Tensor, Tensor]:
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
                table = piece.reshape(-1, side * channels)
                mean, variance = _statistics(table.T[None, :, :, None])
                counts += [len(piece) // side] * side
                means.append(mean.view(side, channels))
                variances.append(variance.view(side, channels))
    share = torch.tensor(counts, dtype=torch.float64)[:, None] / len(rows)
    own, spread = torch.cat(means).double(), torch.cat(variances).double()
    mean = (share * own).sum(0)
    return mean, (share * (spread + (own - mean) ** 2)).sum(0)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel (N, C, ...), added up in 32 bits by torch."""
    # Running statistics, which stay zero, have torch return those of 16 bits in 32.
    kept = torch.zeros(2, x.shape[1], dtype=torch.promote_types(x.dtype, torch.float32))
    found: tuple[Tensor, Tensor] = torch.batch_norm_update_stats(x, kept[0], kept[1], 0.0)
    return found
