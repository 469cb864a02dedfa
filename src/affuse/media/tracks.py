"""A face through the time of a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affuse.media.boxes import area

Floats = NDArray[np.float64]

LEAST_DETECTIONS = 3  # of a track; fewer are taken for a mistake of the detector
LEAST_PROBABILITY = 0.9  # of a track, on average, for the same reason
LONGEST_BRIDGE = 2.5  # steps between detections over which a face is taken to be still there


@dataclass(frozen=True)
class Track:
    """One face through time.

    Attributes:
        times: (K,) seconds, increasing, of the detections.
        boxes: (K, 4) x1, y1, x2, y2 in pixels of the upright image.
        probabilities: (K,) of the detector.
        landmarks: (K, 5, 2) x, y in pixels as in `Face`, or None.
        step: Seconds between two searches.
        parts: (K,) number of the stretch that a detection belongs to; between stretches the
            face was lost, or the scene changed, so nothing is interpolated.
        numbers: Of each of its stretches among the tracks of the recording, from 0.
        looks: What the face looks like on average (`affuse.media.appearance`), or None.
        turn: Quarter turns counter-clockwise after which the face is upright. Boxes and landmarks
            are those of the image so turned.
        others: How many other people are seen at once while this one is followed, at most.
    """

    times: Floats
    boxes: Floats
    probabilities: Floats
    landmarks: Floats | None
    step: float
    parts: NDArray[np.intp]
    numbers: tuple[int, ...] = (0,)
    looks: Floats | None = None
    turn: int = 0
    others: int = 0

    @property
    def first(self) -> float:
        """Seconds of the first detection."""
        return float(self.times[0])

    @property
    def last(self) -> float:
        """Seconds of the last detection."""
        return float(self.times[-1])

    @property
    def side(self) -> float:
        """Median side in pixels of a square as large as the face."""
        return float(np.sqrt(np.median(area(self.boxes))))

    def at(self, times: NDArray[np.floating]) -> tuple[Floats, NDArray[np.bool_]]:
        """Boxes (N, 4) at times (N,) in seconds, and whether the face is there (N,) bool.

        A box is interpolated between detections at most 2.5 steps apart. Otherwise the face is
        taken to be there for half a step before and after a detection. Boxes of an absent face
        mean nothing.
        """
        return self._interpolate(self.boxes, times)

    def landmarks_at(self, times: NDArray[np.floating]) -> tuple[Floats, NDArray[np.bool_]]:
        """Landmarks (N, 5, 2) at times (N,) in seconds, and whether the face is there (N,) bool.

        Raises:
            ValueError: The detector found no landmarks.
        """
        if self.landmarks is None:
            raise ValueError("this face detector finds no landmarks")
        return self._interpolate(self.landmarks, times)

    def parts_at(self, times: NDArray[np.floating]) -> NDArray[np.intp]:
        """(N,) the stretches that the boxes at times (N,) are taken from."""
        before, after, share, bridged = self._around(np.asarray(times, np.float64))
        return self.parts[np.where(bridged | (share < 0.5), before, after)]

    def _around(
        self, times: NDArray[np.floating]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats, NDArray[np.bool_]]:
        """Of each time the detections around it, its place between them, and if it is bridged."""
        before = np.clip(np.searchsorted(self.times, times, "right") - 1, 0, len(self.times) - 1)
        after = np.minimum(before + 1, len(self.times) - 1)
        gap = self.times[after] - self.times[before]
        share = np.clip((times - self.times[before]) / np.where(gap > 0, gap, 1), 0, 1)
        bridged = (gap <= LONGEST_BRIDGE * self.step) & (self.parts[before] == self.parts[after])
        return before, after, np.where(bridged, share, np.round(share)), bridged

    def _interpolate(
        self, values: Floats, times: NDArray[np.floating]
    ) -> tuple[Floats, NDArray[np.bool_]]:
        times = np.asarray(times, np.float64)
        before, after, share, bridged = self._around(times)
        distance = np.minimum(abs(times - self.times[before]), abs(times - self.times[after]))
        inside = (times >= self.times[before]) & (times <= self.times[after])
        present = (bridged & inside) | (distance <= self.step / 2 + 1e-9)
        share = share.reshape(-1, *[1] * (values.ndim - 1))
        return values[before] + share * (values[after] - values[before]), present
