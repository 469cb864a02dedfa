"""Face crops as the published preprocessing of RAVDESS cuts them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.execution.spool import Spool
from affuse.media.detectors import Face, create_detector
from affuse.media.reading import Reading
from affuse.media.video import Frame
from affuse.media.watching import Cover

REFERENCE_WINDOW = 108
"""Frames in the window of the published rule: 3.6 s at 30 Hz."""


def reference_frames(count: int) -> tuple[int, ...]:
    """Numbers of the frames in the published rule, counted from zero.

    Args:
        count: How many of them, 1 to `REFERENCE_WINDOW`.
    """
    window = REFERENCE_WINDOW
    return tuple(i * window // count + window // (2 * count) for i in range(count))


class PublishedFaces:
    """Crops faces as the published preprocessing does, while frames come by.

    Frames number 3, 10, ... 103 of those that come for 15, whatever their rate; the largest face of
    MTCNN at full size; the rounded box, resized without keeping its proportions. Where no face is
    found the last box is used again. Unlike the original, boxes are clamped to the frame, and a box
    is never carried over from another file.

    Args:
        count: Number of crops N.
        cover: What is done to faces before.

    Attributes:
        crops: (N, 224, 224, 3) uint8 in the order blue, green, red, as published weights expect.
        present: (N,) bool: False, and black, after the end of the file and before the first face.

    Source: Chumachenko, Iosifidis, Gabbouj 2022, code release, extraction of faces.
    """

    start: float | None = None
    end: float | None = None

    def __init__(self, count: int = 15, cover: Cover | None = None) -> None:
        self.crops = np.zeros((count, 224, 224, 3), np.uint8)
        self.present = np.zeros(count, bool)
        self._wanted = reference_frames(count)
        self._detector = create_detector("mtcnn")
        self._number = -1
        self._cover = cover
        self._face: Face | None = None

    def see(self, frame: Frame) -> None:
        """Take a frame, one after the other."""
        self._number += 1
        if self._number not in self._wanted:
            return
        image = frame.rgb()
        (faces,) = self._detector.detect([image])
        if faces:
            self._face = faces[0]
        if self._face is not None:
            if self._cover is not None:
                box = np.array(self._face.box)
                image = self._cover(frame, box, self._face.landmarks).rgb()
            x1, y1, x2, y2 = (round(edge) for edge in self._face.box)
            part = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0), ::-1]
            if part.size:
                row = self._wanted.index(self._number)
                self.crops[row] = cv2.resize(part, (224, 224), interpolation=cv2.INTER_LINEAR)
                self.present[row] = True
        if self._number == self._wanted[-1]:
            self.end = frame.time

    def finish(self) -> None:
        """The last frame has come."""


class PublishedWindows:
    """The same of windows that overlap, in one pass over the frames.

    Args:
        count: Number of crops N of each.
        starts: Seconds from which their frames are counted, not falling.
        cover: What is done to faces before.
    """

    start: float | None = None
    end: float | None = None

    def __init__(self, count: int, starts: Sequence[float], cover: Cover | None = None) -> None:
        self._count, self._starts, self._cover = count, starts, cover
        self._crops = Spool((count, 224, 224, 3), "uint8")
        self._present = Spool((count,), "bool")
        self._begun: deque[PublishedFaces] = deque()

    def see(self, frame: Frame) -> None:
        """Take a frame, one after the other."""
        begun = len(self._present) + len(self._begun)
        while begun < len(self._starts) and self._starts[begun] <= frame.time:
            self._begun.append(PublishedFaces(self._count, self._cover))
            begun += 1
        for window in self._begun:
            window.see(frame)
        while self._begun and self._begun[0].end is not None:
            self._keep(self._begun.popleft())

    def _keep(self, window: PublishedFaces) -> None:
        self._crops.append(window.crops[None])
        self._present.append(window.present[None])

    def finish(self) -> None:
        """The last frame has come."""
        for window in self._begun:
            self._keep(window)
        while len(self._present) < len(self._starts):
            self._keep(PublishedFaces(self._count))

    def window(self, number: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """`crops` and `present` of a window, once the last frame has come; see `PublishedFaces`."""
        part = number, number + 1
        return self._crops.read(*part)[0], self._present.read(*part)[0]


def published_faces(path: Path) -> PublishedFaces:
    """The fifteen crops of a recording.

    Raises:
        BadInput: The recording has no images or cannot be decoded.
    """
    reading, found = Reading(path), PublishedFaces()
    reading.watch(found)
    reading.run()
    reading.check_frames()
    return found
