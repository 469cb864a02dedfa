"""How well a face is seen: its size, sharpness, light and turn.

Pure functions of one crop, its box and its landmarks, cheap enough for every frame.
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.media.tracks import Floats

SIDE = 48
"""Pixels of the side of the grey face that sharpness and light are measured on: that of FER+ and of
the bundled model. What is lost below it, no expression depends on."""
FACE = 0.7
"""Part of the side of a crop, in its middle, whose light counts: the face, not what is around."""
BLACK, WHITE = 3, 252
"""Grey levels from which a pixel is clipped."""
SMOOTHED = 1.0
"""Standard deviation in pixels of the blur before sharpness is measured: accuracy does not suffer
from it (`docs/results/quality.md`)."""
FLAT = 9.0
"""Variance in grey levels that is added to the contrast, so that rounding is no sharpness."""

# A mean face, in units of the distance of the eyes: how far the tip of the nose stands out of the
# plane of eyes and mouth, and where it lies between them (0: eyes, 1: mouth).
_HEIGHT, _NOSE, _DEPTH = 1.15, 0.55, 0.38


class FaceQuality(NamedTuple):
    """How well one face is seen in one frame.

    Attributes:
        size: Longer side of the box in pixels of the frame.
        sharpness: Root of the variance of the Laplacian over that of the grey levels, of the
            face at 48 pixels: 0.15 to 0.35 for a face in focus.
        light: Mean grey level, 0 (black) to 1 (white).
        clipped: Share of pixels that are black or white.
        yaw: Degrees by which the face is turned to the side, positive to the right of the image;
            NaN without landmarks.
        pitch: Degrees by which it looks up; negative is down. NaN without landmarks.
    """

    size: float
    sharpness: float
    light: float
    clipped: float
    yaw: float
    pitch: float


FIELDS = FaceQuality._fields


def face_quality(
    crop: NDArray[np.uint8], box: Floats, landmarks: Floats | None, margin: float = 0.0
) -> FaceQuality:
    """Measure one face.

    Args:
        crop: (S, S, 3) RGB, as `affuse.media.crops.cut_out` makes it.
        box: (4,) x1, y1, x2, y2 in pixels of the frame.
        landmarks: (5, 2) eyes, nose, corners of the mouth; x, y in pixels of the frame, or None.
        margin: Part by which the crop is larger than the face; see `cut_out`.
    """
    grey = _grey(crop, margin)
    edge = round(SIDE * (1 - FACE) / 2)
    inner = grey[edge : SIDE - edge, edge : SIDE - edge]
    yaw, pitch = (np.nan, np.nan) if landmarks is None else turn_of(landmarks)
    clipped = np.count_nonzero((inner <= BLACK) | (inner >= WHITE)) / inner.size
    return FaceQuality(
        float(max(box[2] - box[0], box[3] - box[1])),
        sharpness_of(grey),
        cv2.mean(inner)[0] / 255,
        clipped,
        yaw,
        pitch,
    )


def sharpness_of(grey: NDArray[np.uint8]) -> float:
    """The sharpness of a grey image (H, W); see `FaceQuality`.

    Normalised by contrast, it is the root mean square of the spatial frequency squared, so no
    Gaussian blur raises it, whatever the image. A little blur before keeps noise and rounding from
    counting as detail.
    """
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (5, 5), SMOOTHED)
    edges = cv2.Laplacian(smooth, cv2.CV_32F)
    _, contrast = cv2.meanStdDev(smooth)
    _, detail = cv2.meanStdDev(edges[1:-1, 1:-1])
    return float(detail[0, 0] / np.sqrt(contrast[0, 0] ** 2 + FLAT))


def turn_of(landmarks: Floats) -> tuple[float, float]:
    """How far a face is turned, in degrees: yaw and pitch, as in `FaceQuality`.

    Where the tip of the nose lies between eyes and mouth, on a mean face seen from far away.
    Leaning to a shoulder does not matter. People differ by some ten degrees in pitch.

    Args:
        landmarks: (5, 2) left eye, right eye, nose, left and right corner of the mouth, in the
            order of x of an upright face.
    """
    points = [complex(x, y) for x, y in landmarks.tolist()]
    eyes, mouth = (points[0] + points[1]) / 2, (points[3] + points[4]) / 2
    down = mouth - eyes
    length = abs(down)
    if not length > 1e-6:
        return np.nan, np.nan
    # x to the right of the face, y down from the eyes to the mouth, both in pixels
    turned = [(point - eyes) / (down / length) * 1j for point in points]
    width = (turned[1] - turned[0]).real + (turned[4] - turned[3]).real
    aside, along = turned[2].real, turned[2].imag / length
    # eyes and corners of the mouth are about 1 and 0.8 of the distance of the eyes apart
    yaw = math.atan2(aside * 1.8, _DEPTH * max(width, 1e-6))
    pitch = math.atan(_HEIGHT * (_NOSE - along) / _DEPTH)
    return math.degrees(yaw), math.degrees(pitch)


def _grey(crop: NDArray[np.uint8], margin: float) -> NDArray[np.uint8]:
    """The face of a crop, (48, 48) grey."""
    size = len(crop)
    edge = round(size * margin / (1 + margin) / 2)
    if edge and size - 2 * edge >= 1:
        crop = crop[edge : size - edge, edge : size - edge]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    if len(grey) != SIDE:
        method = cv2.INTER_AREA if len(grey) > SIDE else cv2.INTER_LINEAR
        grey = cv2.resize(grey, (SIDE, SIDE), interpolation=method)
    return grey.astype(np.uint8, copy=False)


@dataclass(frozen=True)
class FaceSeries:
    """How well a face is seen over time.

    Attributes:
        times: (N,) seconds of the recording, not falling.
        values: (N, 6) float32, the fields of `FaceQuality`.
    """

    times: Floats
    values: NDArray[np.float32]

    def within(
        self, starts: NDArray[np.floating], ends: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """Medians (W, 6) over the frames between some seconds; NaN where there is none.

        Args:
            starts: (W,) seconds.
            ends: (W,) seconds, after them; the frame at the end counts too.
        """
        first = np.searchsorted(self.times, starts - 1e-6)
        last = np.searchsorted(self.times, ends + 1e-6)
        rows = np.full((len(starts), len(FIELDS)), np.nan, np.float32)
        for row, (a, b) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            if a < b:
                rows[row] = np.median(self.values[a:b], axis=0)
        return rows


class FaceNotes:
    """Collects how well a face is seen, frame by frame, in 24 bytes each."""

    def __init__(self) -> None:
        self._values = array("f")

    def add(self, quality: FaceQuality) -> None:
        """One more frame."""
        self._values.extend(quality)

    @property
    def values(self) -> NDArray[np.float32]:
        """(N, 6) as in `FaceSeries`."""
        return np.array(self._values, np.float32).reshape(-1, len(FIELDS))
