"""Follow faces from image to image: a search now and then, and a look where they are expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.media.boxes import intersection_over_union
from affuse.media.detectors import Detector, Face
from affuse.media.linking import Linking
from affuse.media.shown import showing
from affuse.media.tracks import LEAST_DETECTIONS, LEAST_PROBABILITY, Track
from affuse.media.video import Frame, read_frames

SEARCH = 1.0  # seconds after which a whole image is searched again, for who else is in it
CUT = 20.0  # mean difference of small images, of 255 levels, from which the scene has changed
MOVES_ON = 0.5  # part of its last movement by which a face is expected to move again
SURE = 0.9  # probability of a face that has to be found again, or is searched for
ONE = 0.6  # intersection over union from which two faces that are followed are one
_SMALL = (32, 18)  # width and height of the images that are compared for that


@dataclass(frozen=True)
class _Expected:
    """A face as it was found last, in pixels of the searched image."""

    face: Face
    box: NDArray[np.float64]


class Follower:
    """Finds the faces of images that come one after the other, and links them into tracks.

    An image is searched when a second has passed since the last search, the scene has changed,
    nobody is followed, or somebody who was there is not found where expected. In between the
    detector only looks where each face should be.

    Args:
        detector: What finds faces.
        every: Seconds between two images.
        max_gap: Seconds for which a face may be lost and still continue its track.
    """

    def __init__(self, detector: Detector, every: float, max_gap: float = 1.0) -> None:
        self.detector = detector
        self._linking = Linking(every, max_gap)
        self._expected: list[_Expected] = []
        self._searched = -np.inf
        self._small: NDArray[np.uint8] | None = None

    def see(self, frame: Frame, moments: Sequence[float]) -> None:
        """Find the faces of an image.

        Args:
            frame: The image.
            moments: Seconds for which its faces count, rising: its own, and further ones for as
                long as it is held.
        """
        image = frame.rgb(self.detector.max_side)
        faces = self._where_expected(image, moments[0])
        if faces is None:
            (faces,) = self.detector.detect([image])
            self._searched = moments[0]
        self._expect(faces)
        scaled = [face.scaled(frame.width / image.shape[1]) for face in faces]
        for moment in moments:
            self._linking.add(moment, scaled)

    def tracks(self) -> list[Track]:
        """The faces so far, by the time of their first detection.

        Those found fewer than three times (of three or more images), or with a mean probability
        below 0.9, are mistakes of the detector and left out.
        """
        least = min(LEAST_DETECTIONS, len(self._linking.times))
        return [
            track
            for track in self._linking.tracks()
            if len(track.times) >= least and track.probabilities.mean() >= LEAST_PROBABILITY
        ]

    def _where_expected(self, image: NDArray[np.uint8], time: float) -> list[Face] | None:
        """The faces where they are expected; None where the whole image is to be searched."""
        small = np.asarray(cv2.resize(image, _SMALL, interpolation=cv2.INTER_AREA), np.uint8)
        before, self._small = self._small, small
        if before is None or float(cv2.absdiff(small, before).mean()) > CUT:
            return None
        if not self._expected or time - self._searched > SEARCH - 1e-3:
            return None
        boxes = np.stack([expected.box for expected in self._expected])
        faces = []
        for expected, face in zip(self._expected, self.detector.confirm(image, boxes), strict=True):
            last = expected.face.probability
            if (face is None or face.probability < SURE) and last >= SURE:
                return None
            if face is not None:  # a search, which chooses among more boxes, knows how sure it is
                faces.append(replace(face, probability=last))
        places = np.array([face.box for face in faces]).reshape(-1, 4)
        overlaps = intersection_over_union(places[:, None], places[None])
        if (np.triu(overlaps, 1) > ONE).any():
            return None
        return faces or None

    def _expect(self, faces: list[Face]) -> None:
        """Where faces will be in the next image: further on, the way they came."""
        known = np.array([one.face.box for one in self._expected]).reshape(-1, 4)
        expected = []
        for face in faces:
            box = np.array(face.box)
            overlap = intersection_over_union(box, known)
            shift = np.zeros(2)
            if len(known) and overlap.max() > 0:
                before = known[int(overlap.argmax())]
                shift = (box[:2] + box[2:] - before[:2] - before[2:]) / 2 * MOVES_ON
            expected.append(_Expected(face, box + np.tile(shift, 2)))
        self._expected = expected


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
        detector: What finds faces.
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
    follower = Follower(detector, every, max_gap)
    for upright, moments in _sampled(path, every, start, end, tracks):
        follower.see(upright.turned(turn), moments)
    return [replace(track, turn=turn) for track in follower.tracks()]


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
