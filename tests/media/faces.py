"""Faces that are followed, or known, and cut out of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from affuse.corpora.clip import Tracks
from affuse.inference.keyframes import KeyFrames
from affuse.media.crops import Images
from affuse.media.detectors import Detector
from affuse.media.face import FaceOptions, Readings
from affuse.media.following import Follower, Sampling
from affuse.media.linking import Sight
from affuse.media.reading import Reading
from affuse.media.shown import showing
from affuse.media.tracks import Track
from affuse.media.watching import Crops, Cut, Watch
from affuse.tasks.prediction import KeyFrame


def track_faces(
    path: Path,
    detector: Detector,
    every: float = 0.2,
    start: float | None = None,
    end: float | None = None,
) -> list[Track]:
    """The faces of a recording."""
    sampling = Sampling(showing(path), every, start, end)
    follower = Follower(detector, sampling.step())
    read(Reading(path), Watch(showing(path), follower, sampling, []))
    return follower.tracks()


def find_face(
    path: Path, options: FaceOptions, start: float | None = None, end: float | None = None
) -> Track | None:
    """The main face of a recording, or of a window of it."""
    readings = Readings()
    search = readings.face(path, options, start, end)
    readings.run()
    readings.of(path).check_frames()
    return search.track


def key_frames(path: Path, duration: float, turn: int = 0) -> list[KeyFrame]:
    """The key frames of a recording."""
    reading, taken = Reading(path), KeyFrames(showing(path), duration)
    reading.watch(taken)
    reading.run()
    return taken.turned(turn)


def crop_faces(
    path: Path,
    times: np.ndarray,
    track: Track | None,
    size: int,
    margin: float = 0.0,
    align: bool = False,
    tracks: Tracks | None = None,
) -> tuple[Images, np.ndarray]:
    """A known face at some times, in any order: (N, size, size, 3) and (N,) bool."""
    order = np.argsort(times, kind="stable")
    found = Crops(Cut(np.asarray(times, float)[order], size, margin, align))
    shown = showing(path, tracks)
    turn = 0 if track is None else track.turn
    known: Any = SimpleNamespace(see=lambda *_: None, linking=Known(track))
    read(
        Reading(path, tracks), Watch(shown, known, Sampling(shown, 0.2, None, None), [found], turn)
    )
    crops = np.zeros((len(times), size, size, 3), np.uint8)
    present = np.zeros(len(times), bool)
    for part, block, there in found.blocks(track):
        crops[order[part]], present[order[part]] = block, there
    return crops, present


class Known:
    """Tells where a face is that was followed before."""

    def __init__(self, track: Track | None) -> None:
        self.track = track

    def decided(self) -> float:
        return np.inf

    def at(self, times: Sequence[float]) -> list[list[Sight]]:
        return [self._at(time) for time in times]

    def _at(self, time: float) -> list[Sight]:
        if self.track is None:
            return []
        moment = np.array([time])
        (box,), (there,) = self.track.at(moment)
        if not there:
            return []
        points = None if self.track.landmarks is None else self.track.landmarks_at(moment)[0][0]
        return [Sight(self.track.numbers[int(self.track.parts_at(moment)[0])], box, points)]


def read(reading: Reading, watch: Watch) -> None:
    reading.watch(watch)
    reading.run()
    reading.check_frames()
