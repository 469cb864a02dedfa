"""The main face of a source that is read once: of what was seen so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from affuse.media.detectors import Face
from affuse.media.linking import Sight
from affuse.media.people import Choice, foremost
from affuse.media.tracks import LEAST_DETECTIONS, LEAST_PROBABILITY, Floats

_MOST = 64  # tracks that are remembered
_AREAS = 1024  # areas of a track from which its median is taken


@dataclass
class _Seen:
    """What is remembered of a track."""

    number: int
    first: float
    last: float = 0.0
    count: int = 0
    area: float = 0.0
    probability: float = 0.0
    areas: list[float] = field(default_factory=list)
    looks: Floats | None = None

    def add(self, time: float, face: Face) -> None:
        self.last = time
        self.count += 1
        self.area += face.area
        self.probability += face.probability
        self.areas.append(face.area)
        if face.looks is not None:
            self.looks = face.looks if self.looks is None else self.looks + face.looks
        if len(self.areas) > _AREAS:
            self.areas = self.areas[::2]

    @property
    def side(self) -> float:
        return float(np.sqrt(np.median(self.areas)))


class MainFace:
    """Chooses the main face by the rule of `people_of`, again with every image.

    A face that has become the main one is so from then on; what was cut out before stays.

    Args:
        choice: See `people_of`.
    """

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self._images, self._time = 0, 0.0
        self._seen: dict[int, _Seen] = {}
        self._chosen: list[int] = []

    def add(self, time: float, faces: Sequence[tuple[int, Face]]) -> None:
        """Take what was found in an image.

        Args:
            time: Seconds.
            faces: Each with the number of its track.
        """
        self._images, self._time = self._images + 1, time
        for number, face in faces:
            seen = self._seen.setdefault(number, _Seen(number, time))
            seen.add(time, face)
        self._chosen = self._choose()
        if len(self._seen) > _MOST:
            kept = sorted(self._seen.values(), key=lambda x: (x.last < time, self._rank(x)))
            self._seen = {x.number: x for x in kept[:_MOST]}

    def of(self, sights: Sequence[Sight]) -> Sight | None:
        """The main one of the faces of a moment, if it is there."""
        there = {sight.number: sight for sight in sights}
        return next((there[number] for number in self._chosen if number in there), None)

    def may_be(self, sights: Sequence[Sight]) -> bool:
        """Whether one of the faces of a moment was seen too seldom so far to count."""
        known = (self._seen[x.number] for x in sights if x.number in self._seen)
        return any(x.count < LEAST_DETECTIONS and x.last == self._time for x in known)

    def _rank(self, seen: _Seen) -> tuple[float, float]:
        weight = seen.area if self.choice == "largest" else seen.count
        return -float(weight), seen.first

    def _choose(self) -> list[int]:
        least = min(LEAST_DETECTIONS, self._images)
        tracks = [
            one
            for one in self._seen.values()
            if one.count >= least and one.probability / one.count >= LEAST_PROBABILITY
        ]
        person, _ = foremost(sorted(tracks, key=self._rank))
        return [one.number for one in person]
