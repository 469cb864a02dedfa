"""A few small pictures that show where in a recording one is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from affuse.corpora.clip import Tracks
from affuse.inference.timeline import KeyFrame
from affuse.media.video import read_frames

_COUNT = 10
_HEIGHT = 96


def key_frames(path: Path, duration: float, tracks: Tracks | None = None) -> list[KeyFrame]:
    """Up to ten frames, evenly spaced, 96 pixels high.

    Args:
        path: A recording with pictures.
        duration: Its length in seconds.
        tracks: Which of its tracks are wanted; by default the file decides.
    """
    wanted = (np.arange(_COUNT) + 0.5) * duration / _COUNT
    frames: list[KeyFrame] = []
    for frame in read_frames(path, tracks=tracks):
        if len(frames) == _COUNT:
            break
        if frame.time >= wanted[len(frames)]:
            picture = frame.rgb()
            width = max(1, round(picture.shape[1] * _HEIGHT / picture.shape[0]))
            small = cv2.resize(picture, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
            frames.append(KeyFrame(frame.time, np.asarray(small)))
    return frames
