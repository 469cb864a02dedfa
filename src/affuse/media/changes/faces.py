"""Parts of found faces that are covered: by sunglasses, by a mask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import cv2
import numpy as np

from affuse.media.crops import Images
from affuse.media.tracks import Floats
from affuse.media.video import Frame

#: What is done to a frame before a face is cut out of it: its box (4,) and landmarks (5, 2) in
#: pixels, or None.
FaceChange = Callable[[Frame, Floats, Floats | None], Frame]

Part = Literal["eyes", "mouth"]
#: The two landmarks of a part, and how far below the upper edge of the box it lies, without them.
_PARTS: dict[Part, tuple[slice, float]] = {"eyes": (slice(0, 2), 0.4), "mouth": (slice(3, 5), 0.78)}
_WIDTH = 1.2  # of a band, in widths of the box


def covered_eyes(share: float, random: np.random.Generator) -> FaceChange:
    """Cover the eyes with a black band, whose height is a share of that of the face."""
    return partial(_covered, share=share, part="eyes")


def covered_mouth(share: float, random: np.random.Generator) -> FaceChange:
    """Cover the mouth with a black band, whose height is a share of that of the face."""
    return partial(_covered, share=share, part="mouth")


def _covered(
    frame: Frame, box: Floats, landmarks: Floats | None, *, share: float, part: Part
) -> Frame:
    if not share:
        return frame
    return frame.changed(partial(_painted, corners=band(box, landmarks, part, share)))


def band(box: Floats, landmarks: Floats | None, part: Part, share: float) -> Floats:
    """The corners (4, 2) of a band over a part of a face, along the line of the eyes and mouth.

    Args:
        box: (4,) x1, y1, x2, y2 in pixels.
        landmarks: (5, 2) eyes, nose, corners of the mouth in pixels; None: the face is upright.
        part: What is covered.
        share: Height of the band, per height of the box.
    """
    rows, below = _PARTS[part]
    width, height = box[2] - box[0], box[3] - box[1]
    middle, along = np.array([(box[0] + box[2]) / 2, box[1] + below * height]), np.array([1.0, 0.0])
    if landmarks is not None:
        middle = landmarks[rows].mean(0)
        across = landmarks[1] - landmarks[0] + landmarks[4] - landmarks[3]
        along = across / length if (length := float(np.hypot(*across))) > 0 else along
    side = along * _WIDTH * width / 2
    up = np.array([along[1], -along[0]]) * share * height / 2
    return np.stack(
        [middle - side + up, middle + side + up, middle + side - up, middle - side - up]
    )


def _painted(image: Images, corners: Floats) -> Images:
    painted = image.copy()
    cv2.fillConvexPoly(painted, np.round(corners).astype(np.int32), (0, 0, 0))
    return painted
