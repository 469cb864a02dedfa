"""Link the faces of successive images into tracks."""

from __future__ import annotations

import numpy as np

from affuse.media.boxes import intersection_over_union
from affuse.media.detectors import Face
from affuse.media.tracks import Track

SAME_OVERLAP = 0.2  # intersection over union from which two boxes are one face that moved
SAME_DISTANCE = 0.6  # or centres at most so many sides apart, when the sizes are alike
SAME_SIZE = 1.6  # greatest ratio of the sides for that


class Linking:
    """Links faces, image by image.

    A face continues the track whose last box it overlaps most, or lies next to with about the same
    size; the best pairs first.

    Args:
        every: Seconds between two images.
        max_gap: Seconds for which a face may be lost and still continue its track.

    Attributes:
        times: Seconds of the images so far.
    """

    def __init__(self, every: float, max_gap: float = 1.0) -> None:
        self.every, self.max_gap = every, max_gap
        self.times: list[float] = []
        self._chains: list[list[tuple[float, Face]]] = []
        self._open: list[list[tuple[float, Face]]] = []

    def add(self, time: float, faces: list[Face]) -> None:
        """Continue tracks with the faces of an image, and begin new ones.

        Args:
            time: Of the image in seconds, later than the one before.
            faces: What was found in it.
        """
        self.times.append(time)
        self._open = [c for c in self._open if time - c[-1][0] <= self.max_gap + 1e-3]
        pairs = [
            (closeness, i, j)
            for i, chain in enumerate(self._open)
            for j, face in enumerate(faces)
            if (closeness := _closeness(chain[-1][1], face)) is not None
        ]
        free = set(range(len(faces)))
        for _, i, j in sorted(pairs, key=lambda pair: -pair[0]):
            if j in free and self._open[i][-1][0] < time:
                self._open[i].append((time, faces[j]))
                free.remove(j)
        begun = [[(time, faces[j])] for j in sorted(free)]
        self._chains += begun
        self._open += begun

    def tracks(self) -> list[Track]:
        """All tracks by the time of their first detection."""
        spacing = float(np.median(np.diff(self.times))) if len(self.times) > 1 else self.every
        # images that come less often than asked for are all searched
        return [_track(chain, max(self.every, spacing)) for chain in self._chains]


def _closeness(old: Face, new: Face) -> float | None:
    """How well a face continues another, or None when it cannot be the same."""
    a, b = np.array(old.box), np.array(new.box)
    overlap = float(intersection_over_union(a, b))
    side_a, side_b = np.sqrt(old.area), np.sqrt(new.area)
    distance = np.linalg.norm(a[:2] + a[2:] - b[:2] - b[2:]) / (side_a + side_b)
    alike = max(side_a, side_b) <= SAME_SIZE * min(side_a, side_b)
    if overlap < SAME_OVERLAP and not (alike and distance <= SAME_DISTANCE):
        return None
    return overlap - float(distance)


def _track(chain: list[tuple[float, Face]], step: float) -> Track:
    points = [face.landmarks for _, face in chain if face.landmarks is not None]
    return Track(
        times=np.array([time for time, _ in chain]),
        boxes=np.array([face.box for _, face in chain], np.float64),
        probabilities=np.array([face.probability for _, face in chain]),
        landmarks=np.stack(points) if len(points) == len(chain) else None,
        step=step,
        parts=np.zeros(len(chain), np.intp),
    )
