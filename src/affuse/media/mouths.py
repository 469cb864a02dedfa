"""How the mouths of faces move, while frames come by."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.media.crops import cut_out
from affuse.media.linking import Sight
from affuse.media.tracks import Floats, Track
from affuse.media.video import Frame

RATE = 25.0
"""Looks per second."""

GAP = 0.1
"""Seconds from one look to the next beyond which nothing is compared."""

SIDE = 64
_CELL = SIDE / 112  # of the pixels in which the places of an aligned face are known
# rows and columns of an aligned face of 112 pixels
_MOUTH = (76, 108, 36, 76)
_UPPER_LIP, _LOWER_LIP, _FLOW = (74, 90, 42, 70), (94, 110, 42, 70), (60, 112, 24, 88)


@dataclass(frozen=True)
class MouthMotion:
    """How a mouth moved.

    Attributes:
        times: (N,) seconds, rising.
        motion: (N,) mean change of the pixels of the mouth from image to image, in levels.
        opening: (N,) pixels by which the lips went apart, of an aligned face of 64 pixels.
        contrast: (N,) deviation of the levels of the mouth: high while it is open.
    """

    times: Floats
    motion: Floats
    opening: Floats
    contrast: Floats


class Mouths:
    """Looks at the mouths where several faces are in one frame.

    Args:
        times: (N,) seconds at which it looks, not falling.
    """

    def __init__(self, times: NDArray[np.floating]) -> None:
        self.times = times
        self._before: dict[int, tuple[float, NDArray[np.uint8]]] = {}
        self._rows: dict[int, list[tuple[float, ...]]] = defaultdict(list)

    def see(
        self, frame: Frame, moment: float, rows: NDArray[np.intp], sights: Sequence[Sight]
    ) -> None:
        """Look at the faces of a frame; those without landmarks are left out."""
        before, self._before = self._before, {}
        if len(sights) < 2:
            return
        for sight in sights:
            if sight.landmarks is None:
                continue
            crop = cut_out(frame, sight.box, sight.landmarks, SIDE, 0.0, True)
            grey = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)
            self._before[sight.number] = moment, grey
            time, last = before.get(sight.number, (-np.inf, grey))
            if 0 < moment - time <= GAP:
                self._rows[sight.number].append(((time + moment) / 2, *_compared(last, grey)))

    def of(self, person: Track) -> MouthMotion | None:
        """How the mouth of somebody moved, where there were others; None where there were none."""
        rows = sorted(row for number in person.numbers for row in self._rows[number])
        return MouthMotion(*np.array(rows).T) if len(rows) > 1 else None


def _compared(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> tuple[float, ...]:
    """Motion, opening and contrast between two images."""
    changes = cv2.absdiff(cv2.GaussianBlur(before, (0, 0), 1), cv2.GaussianBlur(after, (0, 0), 1))
    around = _part(_FLOW)
    start = np.zeros((*after[around].shape, 2), np.float32)
    flow = np.zeros((*after.shape, 2), np.float32)
    flow[around] = cv2.calcOpticalFlowFarneback(
        before[around], after[around], start, 0.5, 2, 9, 2, 5, 1.1, 0
    )
    lower, upper = (float(flow[_part(lip)][..., 1].mean()) for lip in (_LOWER_LIP, _UPPER_LIP))
    return float(changes[_part(_MOUTH)].mean()), lower - upper, float(after[_part(_MOUTH)].std())


def _part(edges: tuple[int, int, int, int]) -> tuple[slice, slice]:
    top, bottom, left, right = (round(edge * _CELL) for edge in edges)
    return slice(top, bottom), slice(left, right)
