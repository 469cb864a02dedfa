"""Frames changed as people meet them: out of focus, in the dark, small, lost on their way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from affuse.media.changes.bursts import bursts
from affuse.media.crops import Images
from affuse.media.video import Frame

#: What is done to the frames of a recording, one after the other; None is a frame that is lost.
FrameChange = Callable[[Frame], Frame | None]

_STEPS = 30  # per second, of which some are lost
_LOST = 0.5  # mean seconds of a stretch of lost frames
_AT_ONCE = 1 << 12  # steps that are drawn together


def blur(share: float, random: np.random.Generator) -> FrameChange:
    """Blur with a Gaussian whose deviation is a share of the height of the frame."""
    return lambda frame: (
        frame.changed(partial(_blurred, deviation=share * frame.height)) if share else frame
    )


def darkness(stops: float, random: np.random.Generator) -> FrameChange:
    """Halve the light so many times; what is left is rounded to 8 bits of sRGB."""
    coded = np.arange(256) / 255
    light = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4) / 2**stops
    dark = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    table = np.round(255 * dark).astype(np.uint8)
    return lambda frame: frame.changed(table.__getitem__) if stops else frame


def low_resolution(rows: float, random: np.random.Generator) -> FrameChange:
    """Leave so many rows of pixels, and as many columns as the proportions say; then enlarge."""
    return lambda frame: (
        frame.changed(partial(_reduced, rows=round(rows))) if rows < frame.height else frame
    )


def lost_frames(share: float, random: np.random.Generator) -> FrameChange:
    """Lose a share of the time, half a second at a time on average, with all its frames."""
    lost = np.zeros(0, bool)

    def kept(frame: Frame) -> Frame | None:
        nonlocal lost
        step = int(max(frame.time, 0.0) * _STEPS + 1e-6)
        while step >= len(lost):  # what is drawn does not depend on which frames are asked for
            lost = np.append(lost, bursts(_AT_ONCE, share, _LOST * _STEPS, random))
        return None if lost[step] else frame

    return kept


def _blurred(image: Images, deviation: float) -> Images:
    edge = cv2.BORDER_REPLICATE
    return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation, borderType=edge), np.uint8)


def _reduced(image: Images, rows: int) -> Images:
    height, width = image.shape[:2]
    size = max(1, round(width * rows / height)), rows
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)), np.uint8)
