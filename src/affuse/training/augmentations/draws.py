"""Random numbers, one per clip, beside the frames of clips."""

from __future__ import annotations

from torch import Tensor


def column(values: Tensor, ndim: int) -> Tensor:
    """(B,) as (B, 1, ..., 1)."""
    return values.reshape(-1, *[1] * (ndim - 1))
