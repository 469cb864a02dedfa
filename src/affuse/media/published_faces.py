"""Face crops as the published preprocessing of RAVDESS cuts them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from affuse.media.detectors import create_detector
from affuse.media.reading import Reading
from affuse.media.video import Frame

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

    Frames number 3, 10, ... 103 of the file for 15, whatever its frame rate; the largest face of
    MTCNN at full size; the rounded box, resized without keeping its proportions. Where no face is
    found the last box is used again. Unlike the original, boxes are clamped to the frame, and a box
    is never carried over from another file.

    Args:
        count: Number of crops N.
        start: Second from which frames are counted; None is the start of the file.

    Attributes:
        crops: (N, 224, 224, 3) uint8 in the order blue, green, red, as published weights expect.
        present: (N,) bool: False, and black, after the end of the file and before the first face.

    Source: Chumachenko, Iosifidis, Gabbouj 2022, code release, extraction of faces.
    """

    end: float | None = None

    def __init__(self, count: int = 15, start: float | None = None) -> None:
        self.start = start or None
        self.crops = np.zeros((count, 224, 224, 3), np.uint8)
        self.present = np.zeros(count, bool)
        self._wanted = reference_frames(count)
        self._detector = create_detector("mtcnn")
        self._number = -1
        self._box: list[int] | None = None

    def see(self, frame: Frame) -> None:
        """Take a frame, one after the other."""
        self._number += 1
        if self._number not in self._wanted:
            return
        image = frame.rgb()
        (faces,) = self._detector.detect([image])
        if faces:
            self._box = [round(edge) for edge in faces[0].box]
        if self._box is not None:
            x1, y1, x2, y2 = self._box
            part = image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0), ::-1]
            if part.size:
                row = self._wanted.index(self._number)
                self.crops[row] = cv2.resize(part, (224, 224), interpolation=cv2.INTER_LINEAR)
                self.present[row] = True
        if self._number == self._wanted[-1]:
            self.end = frame.time

    def finish(self) -> None:
        """The last frame has come."""


def published_faces(path: Path) -> PublishedFaces:
    """The fifteen crops of a recording.

    Raises:
        BadInput: The recording has no pictures or cannot be decoded.
    """
    reading, found = Reading(path), PublishedFaces()
    reading.watch(found)
    reading.run()
    reading.check_frames()
    return found
