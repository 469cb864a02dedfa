"""When the frames of a time series are, and time series of different rates side by side."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clock:
    """The times of the frames of a series: frame i is at `offset + i / rate` seconds.

    Args:
        rate: Hz; 0 for one row that holds for the whole clip.
        offset: Seconds of the first frame.
        slack: Frames before the first and after the last one for which these still speak, because
            a network without padding has seen that far.
    """

    rate: float
    offset: float = 0.0
    slack: int = 1


def align(
    x: Tensor, mask: Tensor, clock: Clock, rate: float, frames: int
) -> tuple[Tensor, Tensor]:
    """The nearest frame of a series for each frame of another.

    Args:
        x: (B, T, C).
        mask: (B, T) bool.
        clock: When the frames of the series are.
        rate: Hz of the other series, which starts at 0; 0 for one row per clip.
        frames: Its number of frames L.

    Returns:
        (B, L, C), zero where absent, and (B, L) bool: absent where the nearest frame is, or where
        the series has ended or not begun. Padding at the end makes no difference.
    """
    step = clock.rate / rate if rate else 0.0
    wanted = torch.arange(frames, device=x.device) * step - clock.offset * clock.rate
    wanted = (wanted + 0.5).floor().long()
    steps = torch.arange(mask.shape[1], device=x.device)
    last = (steps * mask).amax(1, keepdim=True)
    nearest = torch.minimum(wanted.clamp(min=0), last)
    present = mask.gather(1, nearest) & ((wanted - nearest).abs() <= clock.slack)
    aligned = x.gather(1, nearest.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
    return aligned * present.unsqueeze(-1), present
