"""Follow faces through a recording."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.media.boxes import intersection_over_union
from affuse.media.detectors import Detector, Face
from affuse.media.shown import showing
from affuse.media.video import Frame, read_frames

Floats = NDArray[np.float64]

LEAST_DETECTIONS = 3  # of a track; fewer are taken for a mistake of the detector
LEAST_PROBABILITY = 0.9  # of a track, on average, for the same reason
SAME_OVERLAP = 0.2  # intersection over union from which two boxes are one face that moved
SAME_DISTANCE = 0.6  # or centres at most so many sides apart, when the sizes are alike
SAME_SIZE = 1.6  # greatest ratio of the sides for that
LONGEST_BRIDGE = 2.5  # steps between detections over which a face is taken to be still there
BATCH = 8  # pictures searched at once


@dataclass(frozen=True)
class Track:
    """One face through time.

    Attributes:
        times: (K,) seconds, increasing, of the detections.
        boxes: (K, 4) x1, y1, x2, y2 in pixels of the upright picture.
        probabilities: (K,) of the detector.
        landmarks: (K, 5, 2) x, y in pixels as in `Face`, or None.
        step: Seconds between two searches.
        parts: (K,) number of the stretch that a detection belongs to; between stretches the
            face was lost, or the scene changed, so nothing is interpolated.
        turn: Quarter turns counter-clockwise after which the face is upright. Boxes and landmarks
            are those of the picture so turned.
        others: How many other people are seen at once while this one is followed, at most.
    """

    times: Floats
    boxes: Floats
    probabilities: Floats
    landmarks: Floats | None
    step: float
    parts: NDArray[np.intp]
    turn: int = 0
    others: int = 0

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

    def _interpolate(
        self, values: Floats, times: NDArray[np.floating]
    ) -> tuple[Floats, NDArray[np.bool_]]:
        times = np.asarray(times, np.float64)
        before = np.clip(np.searchsorted(self.times, times, "right") - 1, 0, len(self.times) - 1)
        after = np.minimum(before + 1, len(self.times) - 1)
        gap = self.times[after] - self.times[before]
        share = np.clip((times - self.times[before]) / np.where(gap > 0, gap, 1), 0, 1)
        bridged = (gap <= LONGEST_BRIDGE * self.step) & (self.parts[before] == self.parts[after])
        share = np.where(bridged, share, np.round(share))
        distance = np.minimum(abs(times - self.times[before]), abs(times - self.times[after]))
        inside = (times >= self.times[before]) & (times <= self.times[after])
        present = (bridged & inside) | (distance <= self.step / 2 + 1e-9)
        share = share.reshape(-1, *[1] * (values.ndim - 1))
        return values[before] + share * (values[after] - values[before]), present


def track_faces(
    path: str | Path,
    detector: Detector,
    every: float = 0.2,
    start: float | None = None,
    end: float | None = None,
    max_gap: float = 1.0,
    turn: int = 0,
    tracks: Tracks | None = None,
) -> list[Track]:
    """Find the faces of a recording and follow each, in one pass.

    The first and the last picture are searched, and in between those at least `every` seconds
    apart. One search of a picture that is held counts as often as if the picture were repeated.
    Faces that are found fewer than three times (of three or more searches), or with a mean
    probability below 0.9, are dropped as mistakes of the detector.

    Args:
        path: The recording.
        detector: What finds faces; at most eight pictures of its `max_side` are kept for it.
        every: Least time between two searches, in seconds.
        start: Beginning of the window, in seconds of the recording.
        end: End of the window, in seconds of the recording.
        max_gap: Seconds for which a face may be lost and still continue at the same place.
        turn: Quarter turns counter-clockwise by which pictures are turned before.
        tracks: Which of its tracks are wanted; by default the file decides.

    Returns:
        The tracks by the time of their first detection; none when there is no face.

    Raises:
        BadInput: The recording has no pictures or cannot be decoded.
    """
    times: list[float] = []
    faces: list[list[Face]] = []
    images: list[NDArray[np.uint8]] = []

    def search() -> None:
        for found, image in zip(detector.detect(images), images, strict=True):
            faces.append([face.scaled(width / image.shape[1]) for face in found])
        images.clear()

    repeats: list[int] = []
    for upright, moments in _sampled(path, every, start, end, tracks):
        frame = upright.turned(turn)
        width = frame.width
        times.extend(moments)
        repeats.append(len(moments))
        images.append(frame.rgb(detector.max_side))
        if len(images) == BATCH:
            search()
    search()
    faces = [found for found, count in zip(faces, repeats, strict=True) for _ in range(count)]
    followed = link_faces(np.array(times), faces, every, max_gap)
    least = min(LEAST_DETECTIONS, len(times))
    return [
        replace(track, turn=turn)
        for track in followed
        if len(track.times) >= least and track.probabilities.mean() >= LEAST_PROBABILITY
    ]


def _sampled(
    path: str | Path,
    every: float,
    start: float | None,
    end: float | None,
    tracks: Tracks | None,
) -> Iterator[tuple[Frame, list[float]]]:
    """Yield the first picture, those at least `every` seconds later, and the last.

    With each come the times for which its search counts: its own, and for as long as it is held
    those at which it would be searched again were it repeated.
    """
    shown = showing(path, tracks)
    due = -np.inf
    skipped = None
    begin = None if start is None else shown.begin(start)
    for frame in read_frames(path, begin, end, tracks):
        time = frame.time if start is None else max(frame.time, start)
        until = shown.until(frame.time) if shown.is_held(frame.time) else time
        moments = []
        if time >= due - 1e-3:  # a millisecond, for time stamps are rounded
            moments.append(time)
            due = time + every
        again = max(due, time + shown.usual)
        while again < min(until, np.inf if end is None else end) - 1e-3:
            moments.append(again)
            due = again = again + max(every, shown.usual)
        if moments:
            yield frame, moments
        skipped = None if moments else frame
    if skipped is not None:
        yield skipped, [skipped.time]


def link_faces(
    times: Floats, faces: list[list[Face]], every: float, max_gap: float = 1.0
) -> list[Track]:
    """Link faces in successive pictures into tracks.

    A face continues the track whose last box it overlaps most, or lies next to with about the same
    size; the best pairs first.

    Args:
        times: (K,) seconds, increasing, at which pictures were searched.
        faces: The faces found at each of these times.
        every: Seconds between two searches.
        max_gap: Seconds for which a face may be lost and still continue its track.

    Returns:
        All tracks by the time of their first detection.
    """
    chains: list[list[tuple[float, Face]]] = []
    for time, found in zip(times, faces, strict=True):
        open_chains = [chain for chain in chains if time - chain[-1][0] <= max_gap + 1e-3]
        pairs = [
            (closeness, i, j)
            for i, chain in enumerate(open_chains)
            for j, face in enumerate(found)
            if (closeness := _closeness(chain[-1][1], face)) is not None
        ]
        free = set(range(len(found)))
        for _, i, j in sorted(pairs, key=lambda pair: -pair[0]):
            if j in free and open_chains[i][-1][0] < time:
                open_chains[i].append((time, found[j]))
                free.remove(j)
        chains.extend([(time, found[j])] for j in sorted(free))
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else every
    # pictures that come less often than asked for are all searched
    return [_track(chain, max(every, spacing)) for chain in chains]


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
