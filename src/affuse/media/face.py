"""The face that a recording is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from affuse.corpora.clip import Tracks
from affuse.execution.remembered import remembered
from affuse.media.boxes import area
from affuse.media.detectors import create_detector
from affuse.media.following import track_faces
from affuse.media.second_look import Look, second_look
from affuse.media.shown import showing
from affuse.media.tracks import Track

Choice = Literal["largest", "longest"]

RETURNING_SIZE = 2.0  # greatest ratio of the sides of a person who left and came back
DOUBTFUL = 0.998  # mean probability of a face that is also looked for sideways and upside down


@dataclass(frozen=True)
class FaceOptions:
    """How the face of a recording is found and cut out; the recipe of a stream of faces.

    Attributes:
        detector: One of `affuse.media.detectors.DETECTORS`.
        min_face_size: Side of the smallest face to be found, in pixels of the searched image.
        max_side: Longer side of the searched image in pixels; None searches at full size.
        every: Least time between two searches, in seconds.
        choice: Which face counts, see `main_track`.
        margin: Part of the longer side of the box by which the square around it is larger.
        align: Turn and scale every face so that eyes and mouth come to lie in the same place.
    """

    detector: str = "mtcnn"
    min_face_size: int = 40
    max_side: int | None = 640
    every: float = 0.2
    choice: Choice = "largest"
    margin: float = 0.1
    align: bool = False


def main_track(tracks: list[Track], choice: Choice = "largest") -> Track | None:
    """Choose the face that a recording is about.

    There is one main face for the whole recording. Where it is not seen, other tracks fill in, the
    foremost first: those that do not overlap in time with what is chosen and whose faces are at
    most twice as large or small. So a person who leaves and comes back, or whom the camera shows
    from elsewhere, stays the main face; but when two people are shown in turn, at about the same
    size, the result changes from one to the other, and does so at the cut.

    Args:
        tracks: Of one recording.
        choice: "largest" has the greatest area summed over its detections, "longest" the most
            detections. The earlier track wins a tie.

    Returns:
        The main face with its stretches numbered in `parts`; None when there are no tracks.
    """
    if choice not in get_args(Choice):
        raise ValueError(f"choice must be one of {', '.join(get_args(Choice))}, not {choice!r}")
    if not tracks:
        return None

    def rank(track: Track) -> tuple[float, float]:
        weight = area(track.boxes).sum() if choice == "largest" else len(track.times)
        return -float(weight), float(track.times[0])

    foremost, *others = sorted(tracks, key=rank)
    chosen = [foremost]
    for track in others:
        ratio = _side(track) / _side(foremost)
        apart = all(
            track.times[0] > other.times[-1] or track.times[-1] < other.times[0] for other in chosen
        )
        if apart and 1 / RETURNING_SIZE <= ratio <= RETURNING_SIZE:
            chosen.append(track)
    chosen.sort(key=lambda track: track.times[0])
    points = [track.landmarks for track in chosen if track.landmarks is not None]
    return Track(
        times=np.concatenate([track.times for track in chosen]),
        boxes=np.concatenate([track.boxes for track in chosen]),
        probabilities=np.concatenate([track.probabilities for track in chosen]),
        landmarks=np.concatenate(points) if len(points) == len(chosen) else None,
        step=foremost.step,
        parts=np.repeat(np.arange(len(chosen)), [len(track.times) for track in chosen]),
        turn=foremost.turn,
        others=_most_at_once(chosen, [t for t in others if all(t is not c for c in chosen)]),
    )


def _most_at_once(chosen: list[Track], others: list[Track]) -> int:
    """How many other tracks there are at most at one time at which there is a chosen one."""

    def count(tracks: list[Track], time: float) -> int:
        return sum(bool(track.times[0] <= time <= track.times[-1]) for track in tracks)

    # a greatest number is reached where one of the tracks begins
    begins = [float(track.times[0]) for track in chosen + others]
    return max((count(others, time) for time in begins if count(chosen, time)), default=0)


def _side(track: Track) -> float:
    return float(np.sqrt(np.median(area(track.boxes))))


def find_face(
    path: str | Path,
    options: FaceOptions,
    start: float | None = None,
    end: float | None = None,
    tracks: Tracks | None = None,
) -> Track | None:
    """Find and follow the main face of a recording; None when there is none.

    Where the pictures, upright and at the usual size, show none, some of them are looked at again
    at a larger size and turned. Moving pictures are also turned where the face is doubtful, as one
    that lies on its side is.

    Args:
        path: The recording.
        options: How to find it and which one to choose.
        start: Beginning of the window, in seconds of the recording.
        end: End of the window, in seconds of the recording.
        tracks: Which of its tracks are wanted; by default the file decides.

    Raises:
        BadInput: The recording has no pictures or cannot be decoded.
    """
    # What is cut out of the pictures does not change where the face is.
    options = replace(options, margin=0.0, align=False)
    return _find_face(Path(path), options, start or None, end, tracks)


@remembered(4)  # several streams, and an overlay, follow the face of one recording
def _find_face(
    path: Path,
    options: FaceOptions,
    start: float | None,
    end: float | None,
    tracks: Tracks | None,
) -> Track | None:
    kind, smallest = options.detector, options.min_face_size

    def follow(look: Look) -> Track | None:
        detector = create_detector(kind, min_face_size=smallest, max_side=look.max_side)
        found = track_faces(
            path, detector, options.every, start, end, turn=look.turn, tracks=tracks
        )
        return main_track(found, options.choice)

    usual = Look(options.max_side)
    track = follow(usual)
    first, last = showing(path, tracks).times[[0, -1]].tolist()
    if track is not None:
        if first == last or track.probabilities.mean() >= DOUBTFUL:
            return track
        first, last = track.times[[0, -1]].tolist()
    first = first if start is None else max(first, start)
    last = last + 1e-3 if end is None else min(last + 1e-3, end)
    searches = round(max(0.0, last - first) / max(options.every, 0.04)) + 1
    look = second_look(
        path, usual, kind, smallest, searches, first, last, track is not None, tracks
    )
    return track if look is None else follow(look) or track
