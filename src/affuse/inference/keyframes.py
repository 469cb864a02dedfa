"""A few small pictures that show where in a recording one is."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import cv2
import numpy as np

from affuse.corpora.clip import Tracks
from affuse.media.shown import showing
from affuse.media.video import Frame, read_frames
from affuse.tasks.prediction import KeyFrame

_COUNT = 10
_HEIGHT = 96


def key_frames(
    path: Path, duration: float, turn: int = 0, tracks: Tracks | None = None
) -> list[KeyFrame]:
    """Up to ten frames, evenly spaced, 96 pixels high.

    Args:
        path: A recording with pictures.
        duration: Its length in seconds.
        turn: Quarter turns counter-clockwise after which people in it are upright.
        tracks: Which of its tracks are wanted; by default the file decides.
    """
    shown = showing(path, tracks)
    wanted = deque((np.arange(_COUNT) + 0.5) * duration / _COUNT)
    frames: list[KeyFrame] = []
    for frame in read_frames(path, tracks=tracks):
        if frame.time >= wanted[0]:
            frames.append(KeyFrame(frame.time, _small(frame.turned(turn))))
            wanted.popleft()
        while wanted and shown.is_held(frame.time) and wanted[0] < shown.until(frame.time):
            frames.append(KeyFrame(float(wanted.popleft()), _small(frame.turned(turn))))
        if not wanted:
            break
    if not frames:  # shorter than its first picture, as a photograph is
        frames = [KeyFrame(frame.time, _small(frame.turned(turn)))]
    return frames


def _small(frame: Frame) -> np.ndarray:
    picture = frame.rgb()
    width = max(1, round(picture.shape[1] * _HEIGHT / picture.shape[0]))
    return np.asarray(cv2.resize(picture, (width, _HEIGHT), interpolation=cv2.INTER_AREA))
