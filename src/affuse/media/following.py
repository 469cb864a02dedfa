"""Follow faces from image to image: a search now and then, and a look where they are expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.media.appearance import looks_of
from affuse.media.boxes import intersection_over_union
from affuse.media.detectors import Detector, Face
from affuse.media.linking import Linking
from affuse.media.shown import Showing
from affuse.media.tracks import LEAST_DETECTIONS, LEAST_PROBABILITY, Track
from affuse.media.video import Frame

SEARCH = 1.0  # seconds after which a whole image is searched again, for who else is in it
SETTLED = 2.0  # the same where the last search found nobody but those who were followed
CUT = 20.0  # mean difference of small images, of 255 levels, from which the scene has changed
MOVES_ON = 0.5  # part of its last movement by which a face is expected to move again
SURE = 0.9  # probability of a face that has to be found again, or is searched for
ONE = 0.6  # intersection over union from which two faces that are followed are one
_SMALL = (32, 18)  # width and height of the images that are compared for that
_SPARSE = (160, 90)  # the same of the pixels that they are the means of


@dataclass(frozen=True)
class _Expected:
    """A face as it was found last, in pixels of the searched image."""

    face: Face
    box: NDArray[np.float64]


class Follower:
    """Finds the faces of images that come one after the other, and links them into tracks.

    An image is searched when one or two seconds have passed since the last search, the scene has
    changed, nobody is followed, or somebody who was there is not found where expected. In between
    the detector only looks where each face should be.

    Args:
        detector: What finds faces.
        step: Seconds between two images.
    """

    def __init__(self, detector: Detector, step: float) -> None:
        self.detector = detector
        self.linking = Linking(step)
        self._expected: list[_Expected] = []
        self._due = -np.inf
        self._small: NDArray[np.uint8] | None = None
        self._cut = False

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
            settled = len(faces) == len(self._expected)
            self._due = moments[0] + (SETTLED if settled else SEARCH)
        self._expect(faces)
        scale = frame.width / image.shape[1]
        seen = [replace(face, looks=looks_of(image, face)).scaled(scale) for face in faces]
        if self._cut:
            self.linking.cut()
        for moment in moments:
            self.linking.add(moment, seen)

    def tracks(self) -> list[Track]:
        """The faces so far, by the time of their first detection.

        Those found fewer than three times (of three or more images), or with a mean probability
        below 0.9, are mistakes of the detector and left out.
        """
        least = min(LEAST_DETECTIONS, len(self.linking.times))
        return [
            track
            for track in self.linking.tracks()
            if len(track.times) >= least and track.probabilities.mean() >= LEAST_PROBABILITY
        ]

    def _where_expected(self, image: NDArray[np.uint8], time: float) -> list[Face] | None:
        """The faces where they are expected; None where the whole image is to be searched."""
        sparse = cv2.resize(image, _SPARSE, interpolation=cv2.INTER_NEAREST)
        small = np.asarray(cv2.resize(sparse, _SMALL, interpolation=cv2.INTER_AREA), np.uint8)
        before, self._small = self._small, small
        self._cut = before is not None and float(cv2.absdiff(small, before).mean()) > CUT
        if before is None or self._cut:
            return None
        if not self._expected or time > self._due - 1e-3:
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


class Sampling:
    """Says which frames are searched: the first, those at least `every` seconds later, the last.

    One search of a frame that is held counts as often as if the frame were repeated.

    Args:
        shown: When frames are shown.
        every: Least time between two searches, in seconds.
        start: Beginning of the window, in seconds of the recording.
        end: End of the window, in seconds of the recording.
    """

    def __init__(
        self, shown: Showing, every: float, start: float | None, end: float | None
    ) -> None:
        self.shown, self.every, self.start, self.end = shown, every, start, end
        self._due = -np.inf

    def moments(self, time: float) -> list[float]:
        """The times for which a search of the next frame would count; none when it is left out.

        They are its own, and for as long as it is held those at which it would be searched again
        were it repeated.

        Args:
            time: Of the frame, in seconds.
        """
        shown, end = self.shown, np.inf if self.end is None else self.end
        begin = time if self.start is None else max(time, self.start)
        until = shown.until(time) if shown.is_held(time) else begin
        moments = []
        if begin >= self._due - 1e-3:  # a millisecond, for time stamps are rounded
            moments.append(begin)
            self._due = begin + self.every
        again = max(self._due, begin + shown.usual)
        while again < min(until, end) - 1e-3:
            moments.append(again)
            self._due = again = again + max(self.every, shown.usual)
        return moments

    def step(self) -> float:
        """Seconds between two searches, by most of them; frames may come less often than asked."""
        times = self.shown.times
        first = -np.inf if self.start is None else self.shown.begin(self.start)
        times = times[(times >= first) & (times < (np.inf if self.end is None else self.end))]
        again = Sampling(self.shown, self.every, self.start, self.end)
        searched = [moment for time in times.tolist() for moment in again.moments(time)]
        spacing = float(np.median(np.diff(searched))) if len(searched) > 1 else self.every
        return max(self.every, spacing)
