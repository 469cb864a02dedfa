"""A few small images that show where in a recording one is."""

from __future__ import annotations

from collections import deque

import cv2
import numpy as np

from affuse.media.shown import Showing
from affuse.media.video import Frame
from affuse.tasks.prediction import KeyFrame

_COUNT = 10
_HEIGHT = 96


class KeyFrames:
    """Takes up to ten frames, evenly spaced, while frames come by.

    Args:
        shown: When frames are shown.
        duration: Of the recording in seconds.
    """

    start: float | None = None
    end: float | None = None

    def __init__(self, shown: Showing, duration: float) -> None:
        self._shown = shown
        self._wanted = deque((np.arange(_COUNT) + 0.5) * duration / _COUNT)
        self._taken: list[KeyFrame] = []
        self._last: Frame | None = None

    def see(self, frame: Frame) -> None:
        """Take a frame, one after the other."""
        if not self._wanted:
            return
        self._last = frame
        if frame.time >= self._wanted[0]:
            self._taken.append(_small(frame.time, frame))
            self._wanted.popleft()
        held = self._shown.is_held(frame.time)
        while self._wanted and held and self._wanted[0] < self._shown.until(frame.time):
            self._taken.append(_small(float(self._wanted.popleft()), frame))

    def finish(self) -> None:
        """The last frame has come."""
        if not self._taken and self._last is not None:  # shorter than its first image
            self._taken.append(_small(self._last.time, self._last))
        self._last = None

    def turned(self, turns: int) -> list[KeyFrame]:
        """The frames, 96 pixels high, turned by quarter turns counter-clockwise."""
        found = []
        for x in self._taken:
            picture = _high(np.rot90(x.picture, turns))
            side = x.picture.shape[1] if turns % 2 else x.picture.shape[0]
            found.append(KeyFrame(x.time, picture, x.scale * picture.shape[0] / side))
        return found


def _small(time: float, frame: Frame) -> KeyFrame:
    """An image whose shorter side has 96 pixels."""
    picture = frame.rgb()
    scale = _HEIGHT / min(picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    return KeyFrame(time, np.asarray(small), scale)


def _high(picture: np.ndarray) -> np.ndarray:
    width = max(1, round(picture.shape[1] * _HEIGHT / picture.shape[0]))
    if picture.shape[:2] == (_HEIGHT, width):
        return np.ascontiguousarray(picture)
    return np.asarray(cv2.resize(picture, (width, _HEIGHT), interpolation=cv2.INTER_AREA))
