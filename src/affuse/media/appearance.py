"""Whether two faces of one recording are of the same person, by what they look like."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.media.crops import cut_out
from affuse.media.linking import Sight
from affuse.media.tracks import Floats, Track
from affuse.media.video import Frame

SAME = 0.8
"""Likeness from which two faces are of one person: of faces of different people in like light 1 %
are as alike (docs/results/people.md)."""

DIFFERENT = 0.6
"""Likeness below which they are not: of two moments of one person none is as unlike."""

EVERY = 0.5
"""Seconds from look to look."""

_SIDE, _CELLS, _UPPER = 64, 16, 11  # pixels of an aligned crop, cells of a side, and rows of these


def descriptor(crop: NDArray[np.uint8]) -> Floats:
    """What a face looks like, whatever it says.

    The brightness of the upper two thirds of an aligned crop (mouths move), coarsely, without its
    mean and in relation to its contrast.

    Args:
        crop: (H, H, 3) RGB, aligned.

    Returns:
        (176,) of length one.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)[:_UPPER]
    levels = cells.astype(np.float64).ravel() - cells.mean()
    return np.asarray(levels / max(float(np.linalg.norm(levels)), 1e-9))


class Gallery:
    """Looks at each face now and then, while frames come by.

    Args:
        times: (N,) seconds at which it looks, not falling.
    """

    def __init__(self, times: NDArray[np.floating]) -> None:
        self.times = times
        self._sums: dict[int, Floats] = defaultdict(lambda: np.zeros(_UPPER * _CELLS))

    def see(
        self, frame: Frame, moment: float, rows: NDArray[np.intp], sights: Sequence[Sight]
    ) -> None:
        """Look at the faces of a frame; those without landmarks are left out."""
        for sight in sights:
            if sight.landmarks is not None:
                crop = cut_out(frame, sight.box, sight.landmarks, _SIDE, 0.0, True)
                self._sums[sight.number] += descriptor(crop)

    def likeness(self, one: Track, other: Track) -> float | None:
        """How alike two faces are, -1 to 1; None where one was never looked at."""
        a, b = (
            np.sum([self._sums[k] for k in track.numbers if k in self._sums], axis=0)
            for track in (one, other)
        )
        size = float(np.linalg.norm(a) * np.linalg.norm(b))
        return float(np.dot(a, b)) / size if size else None
