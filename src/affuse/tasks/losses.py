"""The losses of tasks, of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from affuse.metrics.concordance import ccc_loss, ccc_window_loss, masked_ccc_loss


def agreement_loss(values: Tensor, wanted: Tensor, weights: Tensor, variant: str = "ccc") -> Tensor:
    """1 - CCC, added over dimensions.

    Args:
        values: (B, L, D) of a model.
        wanted: (B, L, D), NaN where nobody annotated.
        weights: (D,) of the dimensions.
        variant: See `OverTime.loss`.
    """
    known = ~wanted.isnan().any(-1)
    if variant == "ccc" or not known.any():
        return masked_ccc_loss(values, wanted.nan_to_num(), known, weights)
    values = values.float()
    if variant == "ccc-batch":
        pairs = zip(values[known].unbind(-1), wanted[known].unbind(-1), strict=True)
        return (torch.stack([ccc_loss(x, y) for x, y in pairs]) * weights).sum()
    rows = zip(values, wanted, known, strict=True)
    windows = [(x[k], y[k]) for x, y, k in rows if k.sum() > 1]
    losses = [ccc_window_loss(x[None], y[None], weights) for x, y in windows]
    return torch.stack(losses).mean()


def on_frames(targets: Tensor, frames: int, step: float) -> Tensor:
    """Targets (B, frames, D) nearest in time to the frames of a model, NaN beyond their end.

    Args:
        targets: (B, T, D).
        frames: Of the model.
        step: Frames of the targets per frame of the model.
    """
    rows = torch.round(torch.arange(frames, device=targets.device) * step).long()
    inside = rows < targets.shape[1]
    chosen = targets[:, rows.clamp(max=targets.shape[1] - 1)]
    return torch.where(inside[:, None], chosen, torch.nan)
