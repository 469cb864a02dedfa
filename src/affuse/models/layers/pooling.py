"""From a time series to one vector."""

from __future__ import annotations

import torch
from torch import Tensor


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
