"""Another look at a few images for faces that a search upright and at the usual size misses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.media.changes.clip import ClipChanges
from affuse.media.detectors import Detector, Face, create_detector
from affuse.media.probe import open_recording
from affuse.media.shown import showing
from affuse.media.still import still_of
from affuse.media.video import Frame, read_frames

SAMPLES = 6
"""Images that are looked at again, evenly spread; fewer of a short recording."""

LARGEST = 4096
"""Longer side in pixels at which an image is looked at again at most."""

SURE = 0.9
"""Least probability of a face that is found at another size or turn."""

BETTER = 0.002
"""By how much a turned face must be the more probable one to be preferred to an upright one."""

_PER_SAMPLE = 30  # searches of the first look for each image that is looked at again
_EASILY_FOUND = 1.5  # times the smallest size: how large a small face is made for the search


@dataclass(frozen=True)
class Look:
    """How a recording is searched.

    Attributes:
        max_side: Longer side of the searched images in pixels; None is full size.
        turn: Quarter turns counter-clockwise by which they are turned before.
    """

    max_side: int | None
    turn: int = 0


def second_look(
    path: str | Path,
    usual: Look,
    detector: str,
    min_face_size: int,
    searches: int,
    start: float | None = None,
    end: float | None = None,
    found: bool = False,
    tracks: Tracks | None = None,
    changes: ClipChanges | None = None,
) -> Look | None:
    """How to search a recording in which the usual look found no face, or a doubtful one.

    A few of its images are searched at a larger size, up to their own; then turned by quarter
    turns. A face counts when it is in half of them (in two at least, if there are two).

    Args:
        path: The recording.
        usual: The look that has been taken.
        detector: Name of the face detector.
        min_face_size: Side of the smallest face to be found, in pixels of the searched image.
        searches: How many images have been searched; fewer are looked at again if they are few.
        start: Beginning of the window, in seconds of the recording.
        end: End of the window, in seconds of the recording.
        found: Whether a face was found, if a doubtful one: it is kept unless turned images show
            one in as many of them that is more probable.
        tracks: Which of its tracks are wanted; by default the file decides.
        changes: What is done to its images before.

    Returns:
        The look that finds the most; None when none does.
    """
    count = int(np.clip(searches // _PER_SAMPLE, 3, SAMPLES))
    samples = _samples(path, count, start, end, tracks)
    shown = samples if changes is None else map(changes.frame, samples)
    frames = [frame for frame in shown if frame is not None]
    if not frames:
        return None
    least = min(len(frames), max(2, int(np.ceil(len(frames) / 2))))
    largest = min(LARGEST, max(max(frame.width, frame.height) for frame in frames))
    if not found and usual.max_side is not None and largest > usual.max_side:
        finder = create_detector(detector, min_face_size=min_face_size, max_side=largest)
        faces = _largest_faces(finder, frames, 0)
        if len(faces) >= least:
            side = float(np.median([np.sqrt(face.area) for face in faces]))
            wanted = _EASILY_FOUND * min_face_size / side
            size = round(wanted * max(frames[0].width, frames[0].height))
            return Look(int(np.clip(size, usual.max_side, largest)))
    finder = create_detector(detector, min_face_size=min_face_size, max_side=usual.max_side)
    upright = _largest_faces(finder, frames, 0) if found else []
    best: tuple[int, float, int] | None = None
    for turn in (1, 3, 2):
        faces = _largest_faces(finder, frames, turn)
        many = len(faces) >= max(least, len(upright))
        if many and _probability(faces) >= _probability(upright) + BETTER:
            best = max(best or (0, 0.0, 0), (len(faces), _probability(faces), turn))
    return None if best is None else Look(usual.max_side, best[2])


def _probability(faces: list[Face]) -> float:
    return float(np.mean([face.probability for face in faces])) if faces else 0.0


def _largest_faces(detector: Detector, frames: list[Frame], turn: int) -> list[Face]:
    """The largest sure face of each image that has one, in pixels of the image."""
    found = []
    for frame in frames:
        image = frame.turned(turn).rgb(detector.max_side)
        (faces,) = detector.detect([image])
        factor = max(frame.width, frame.height) / max(image.shape)
        found.extend([face.scaled(factor) for face in faces if face.probability >= SURE][:1])
    return found


def _samples(
    path: str | Path, count: int, start: float | None, end: float | None, tracks: Tracks | None
) -> Iterator[Frame]:
    """Some images of a recording, evenly spread; where one can jump, those one can jump to."""
    times = showing(path, tracks).times
    times = times[(times >= (start or 0.0)) & (times < (np.inf if end is None else end))]
    if not len(times):
        return
    middle = (np.arange(count) + 0.5) * len(times) / count
    wanted = np.unique(times[middle.astype(int)])
    jumped = [] if still_of(path) is not None else list(_jumped(path, wanted, start or 0.0, tracks))
    if len(jumped) > min(2, len(wanted) - 1):
        yield from jumped
        return
    due = 0
    for frame in read_frames(path, start, end, tracks):
        if frame.time >= wanted[due] - 1e-3:
            yield frame
            due += 1
        if due == len(wanted):
            return


def _jumped(
    path: str | Path, wanted: NDArray[np.float64], start: float, tracks: Tracks | None
) -> Iterator[Frame]:
    """The images from `start` on at which decoding can begin before each wanted time, once."""
    seen = set()
    with open_recording(path, tracks) as recording:
        stream = recording.video
        for time in wanted:
            if (stamp := recording.stamp_of(stream, float(time))) is None:
                return
            try:
                recording.container.seek(int(stamp * av.time_base))
                picture = next(recording.decode(stream), None)
            except (av.FFmpegError, OSError):
                continue
            if picture is None or (recording.time_of(picture) or 0.0) < start - 1e-3:
                continue
            if picture.pts not in seen:
                seen.add(picture.pts)
                yield Frame(picture, float(time), recording.geometry_of(picture))
