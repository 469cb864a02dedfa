"""When the frames of a time series are, and time series of different rates side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Clock:
    """The times of the frames that a front-end makes of a stream.

    Frame i is about the stream's frame `lead + i * stride`.

    Args:
        stream: Name of the stream.
        rate: Frames of the stream per second in Hz; 0 for one row that holds for the whole clip.
        stride: Frames of the stream per frame.
        lead: Frames of the stream before the one that the first frame is about.
    """

    stream: str
    rate: float
    stride: int = 1
    lead: int = 0


def frames_until(length: int, rate: float, other: float) -> int:
    """How many frames of another series begin before a series is over.

    A frame lasts half a frame either way, so that series of one window have the lengths that their
    rates tell.

    Args:
        length: Frames of the series.
        rate: Its Hz.
        other: Hz of the other series; both rates may be 0, for one row.
    """
    return math.ceil((length - 0.5) * other / rate) if rate and other else 1


def series_lengths(mask: Tensor) -> Tensor:
    """(B, T) bool -> (B,) int64, frames up to the last one that is present."""
    return (torch.arange(1, mask.shape[1] + 1, device=mask.device) * mask).amax(1)


def align(
    x: Tensor, mask: Tensor, clock: Clock, end: Tensor, rate: float, frames: int
) -> tuple[Tensor, Tensor]:
    """The nearest frame of a series for each frame of another.

    Args:
        x: (B, T, C).
        mask: (B, T) bool.
        clock: When the frames of the series are.
        end: (B, 1), in frames of the other series, from where on nothing is present.
        rate: Hz of the other series, which starts at 0; 0 for one row per clip.
        frames: Its number of frames L.

    Returns:
        (B, L, C), zero where absent, and (B, L) bool.
    """
    wanted = torch.arange(frames, device=x.device)
    step = clock.rate / rate if rate else 0.0
    nearest = ((wanted * step - clock.lead) / clock.stride + 0.5).floor().long().clamp(min=0)
    nearest = torch.minimum(nearest, (series_lengths(mask)[:, None] - 1).clamp(min=0))
    present = mask.gather(1, nearest) & (wanted < end)
    aligned = x.gather(1, nearest.unsqueeze(-1).expand(-1, -1, x.shape[-1]))
    return aligned * present.unsqueeze(-1), present
