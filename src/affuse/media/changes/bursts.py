"""Losses in bursts: of packets, of frames."""

from __future__ import annotations

import numpy as np


def bursts(count: int, share: float, length: float, random: np.random.Generator) -> np.ndarray:
    """Which of some things in a row are lost, (count,) bool: a share of them, in bursts.

    Args:
        count: How many there are.
        share: Of them, from 0 to 1, on average.
        length: Mean length of a burst, at least.
        random: Draws them.
    """
    if share in (0, 1):
        return np.full(count, bool(share))
    ends = min(1 / length, (1 - share) / share)  # longer ones where nearly all is lost
    begins = ends * share / (1 - share)
    now = random.random() < share
    draws, lost = random.random(count), np.zeros(count, bool)
    for k in range(count):
        lost[k] = now
        now = draws[k] < begins if not now else draws[k] >= ends
    return lost
