"""Link the faces of successive images into tracks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from affuse.media.appearance import DIFFERENT
from affuse.media.boxes import intersection_over_union
from affuse.media.detectors import Face
from affuse.media.tracks import LONGEST_BRIDGE, Floats, Track

SAME_OVERLAP = 0.2  # intersection over union from which two boxes are one face that moved
SAME_DISTANCE = 0.6  # or centres at most so many sides apart, when the sizes are alike
MAX_GAP = 1.0  # seconds for which a face may be lost and still continue its track
SAME_SIZE = 1.6  # greatest ratio of the sides for that


@dataclass(frozen=True)
class Sight:
    """A face at a moment.

    Attributes:
        number: Of its track, from 0.
        box: (4,) x1, y1, x2, y2 in pixels.
        landmarks: (5, 2) x, y in pixels as in `Face`, or None.
    """

    number: int
    box: Floats
    landmarks: Floats | None


class _Chain:
    """The detections of one face, in the order of time."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.times: list[float] = []
        self.faces: list[Face] = []  # only the last one knows what it looks like
        self._looks, self._looked = np.zeros(()), 0

    def add(self, time: float, face: Face) -> None:
        if self.faces:
            self.faces[-1] = replace(self.faces[-1], looks=None)
        if face.looks is not None:
            self._looks, self._looked = self._looks + face.looks, self._looked + 1
        self.times.append(time)
        self.faces.append(face)

    @property
    def looks(self) -> Floats | None:
        """The mean of what it looks like."""
        return self._looks / self._looked if self._looked else None

    def forget(self, before: float) -> None:
        """Let go of the detections before a second, but for the last one."""
        gone = min(bisect_right(self.times, before), len(self.times) - 1)
        if gone > 0:
            del self.times[:gone], self.faces[:gone]

    def track(self, step: float, part: slice = slice(None)) -> Track:
        faces = self.faces[part]
        points = [face.landmarks for face in faces if face.landmarks is not None]
        return Track(
            times=np.array(self.times[part]),
            boxes=np.array([face.box for face in faces], np.float64),
            probabilities=np.array([face.probability for face in faces]),
            landmarks=np.stack(points) if len(points) == len(faces) else None,
            step=step,
            parts=np.zeros(len(faces), np.intp),
            numbers=(self.number,),
            looks=self.looks,
        )

    def at(self, times: Floats, step: float) -> Iterator[tuple[int, Sight]]:
        """Numbers of the rising times at which the face is there, and the face; see `Track.at`."""
        first = max(bisect_right(self.times, float(times[0])) - 1, 0)
        if self.times[first] > times[-1] + step or self.times[-1] < times[0] - step:
            return
        near = self.track(step, slice(first, bisect_right(self.times, float(times[-1])) + 1))
        boxes, there = near.at(times)
        points = None if near.landmarks is None else near.landmarks_at(times)[0]
        for k in np.flatnonzero(there).tolist():
            yield k, Sight(self.number, boxes[k], None if points is None else points[k])


class Linking:
    """Links faces, image by image.

    A face continues the track whose last box it overlaps most, or lies next to with about the same
    size; the best pairs first. After a cut, or where it was lost, it must look like it too.

    Args:
        step: Seconds between two images.

    Attributes:
        times: Seconds of the images so far.
    """

    def __init__(self, step: float) -> None:
        self.step = step
        self.times: list[float] = []
        self._chains: list[_Chain] = []
        self._recent: list[_Chain] = []
        self._changed = -np.inf  # the last image before the last cut
        self._begun = 0

    def add(self, time: float, faces: list[Face]) -> None:
        """Continue tracks with the faces of an image, and begin new ones.

        Args:
            time: Of the image in seconds, later than the one before.
            faces: What was found in it.
        """
        self.times.append(time)
        reach = max(MAX_GAP, 2 * LONGEST_BRIDGE * self.step) + 1e-3
        self._recent = [chain for chain in self._recent if time - chain.times[-1] <= reach]
        alive = [chain for chain in self._recent if time - chain.times[-1] <= MAX_GAP + 1e-3]
        pairs = [
            (closeness, i, j)
            for i, chain in enumerate(alive)
            for j, face in enumerate(faces)
            if (closeness := _closeness(chain.faces[-1], face)) is not None
            and (self._is_near(chain, time) or not _unlike(chain.faces[-1], face))
        ]
        free = set(range(len(faces)))
        for _, i, j in sorted(pairs, key=lambda pair: -pair[0]):
            if j in free and alive[i].times[-1] < time:
                alive[i].add(time, faces[j])
                free.remove(j)
        for j in sorted(free):
            chain = _Chain(self._begun)
            self._begun += 1
            chain.add(time, faces[j])
            self._chains.append(chain)
            self._recent.append(chain)

    def cut(self) -> None:
        """Say that the scene changes with the next image."""
        self._changed = self.times[-1] if self.times else -np.inf

    def _is_near(self, chain: _Chain, time: float) -> bool:
        """Whether a face was there in the image before, of the same scene."""
        last = chain.times[-1]
        return last > self._changed and time - last <= 1.5 * self.step

    def tracks(self) -> list[Track]:
        """All tracks by the time of their first detection, which is also that of their numbers."""
        return [chain.track(self.step) for chain in self._chains]

    def latest(self) -> list[tuple[int, Face]]:
        """The faces of the last image, each with the number of its track."""
        now = self.times[-1]
        return [(one.number, one.faces[-1]) for one in self._recent if one.times[-1] == now]

    def forget(self, before: float) -> None:
        """Let go of what was found before a second, which nobody asks about any more."""
        del self.times[: bisect_right(self.times, before)]
        self._chains = [chain for chain in self._chains if chain.times[-1] >= before]
        for chain in self._chains:
            chain.forget(before)

    def decided(self, margin: float | None = None) -> float:
        """Up to which second it is known who is there: what comes later can change the rest.

        Args:
            margin: Seconds before the last image that a new face may still turn out to have been
                there; by default half a step. None of them, if images never come so soon.
        """
        if not self.times:
            return -np.inf
        margin = self.step / 2 if margin is None else margin
        now = self.times[-1]
        lost = [
            chain.times[-1]
            for chain in self._recent
            if 0 < now - chain.times[-1] < LONGEST_BRIDGE * self.step
        ]
        return min([now - margin, *lost])

    def at(self, times: Sequence[float]) -> list[list[Sight]]:
        """The faces at each of some times; see `Track.at`.

        Args:
            times: Seconds, not falling, N of them; not so long ago that a face may have been lost
                since.
        """
        sights: list[list[Sight]] = [[] for _ in times]
        if len(times):
            for chain in self._recent:
                for k, sight in chain.at(np.array(times), self.step):
                    sights[k].append(sight)
        return sights


def _unlike(old: Face, new: Face) -> bool:
    """Whether two faces are of different people."""
    if old.looks is None or new.looks is None:
        return False
    return float(old.looks @ new.looks) < DIFFERENT


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
