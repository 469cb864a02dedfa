"""Overlapping windows as segments that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np


def window_edges(starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Between which moments each window speaks, in seconds.

    A window speaks at its centre: two share the time between their centres, and the first and the
    last one go on to the ends.

    Args:
        starts: (W,) seconds, rising.
        ends: (W,) seconds.

    Returns:
        (W + 1,) seconds.
    """
    centres = (starts + ends) / 2
    return np.concatenate([starts[:1], (centres[:-1] + centres[1:]) / 2, ends[-1:]])


def runs(labels: Sequence[str | None]) -> list[tuple[int, int, str]]:
    """(first, one after the last, label) of the stretches of equal labels; those of None left out.

    Args:
        labels: Of rows that follow each other.
    """
    found = []
    here = 0
    for label, rows in groupby(labels):
        count = len(list(rows))
        if label is not None:
            found.append((here, here + count, label))
        here += count
    return found
