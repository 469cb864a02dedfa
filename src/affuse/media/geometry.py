"""From the image that a file stores to the one that is shown: cropped, square pixels, upright."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
from av.filter import Graph
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Size = tuple[int, int]

NARROWEST, WIDEST = 1 / 4, 4.0
"""Ratios of the width of a pixel to its height that are believed; others are taken for mistakes."""

SQUARE = 0.01
"""How far from square pixels may be and still be left as they are."""

SMALLEST_ANGLE = 1.0
"""Degrees off the nearest quarter turn from which an image is turned by them too."""

_UNNAMED = range(28, 64)  # side data of frames that PyAV may have no name for
# EXIF orientation: mirrored left to right before turning, quarter turns counter-clockwise
_ORIENTATIONS = {
    1: (False, 0),
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}


@dataclass(frozen=True)
class Geometry:
    """What is done to a stored image before it is shown, in this order.

    Attributes:
        width: Of the stored image, in pixels.
        height: Of the stored image, in pixels.
        crop: Pixels that are cut off: left, top, right, bottom.
        aspect: Width of a stored pixel divided by its height. The narrower direction is enlarged.
        mirror: Whether left and right are exchanged.
        turns: Quarter turns counter-clockwise.
        angle: Degrees counter-clockwise by which it is turned further, -45 to 45; the corners of
            the upright rectangle around it are black.
    """

    width: int
    height: int
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    aspect: float = 1.0
    mirror: bool = False
    turns: int = 0
    angle: float = 0.0

    @property
    def inner(self) -> Size:
        """Width and height of the cropped image in square pixels, before it is turned."""
        left, top, right, bottom = self.crop
        width, height = self.width - left - right, self.height - top - bottom
        if self.aspect > 1:
            return max(1, round(width * self.aspect)), height
        return width, max(1, round(height / self.aspect))

    @property
    def size(self) -> Size:
        """Width and height of the image that is shown, in pixels."""
        width, height = self.inner
        if self.turns % 2:
            width, height = height, width
        cos, sin = abs(math.cos(math.radians(self.angle))), abs(math.sin(math.radians(self.angle)))
        return round(width * cos + height * sin), round(width * sin + height * cos)

    def turned(self, turns: int) -> Geometry:
        """The same, turned by further quarter turns counter-clockwise."""
        return replace(self, turns=(self.turns + turns) % 4)

    def upright(self, inner: Image, size: Size) -> Image:
        """Mirror and turn an image.

        Args:
            inner: (h, w, 3), cropped and with square pixels, of any size.
            size: Width and height of the result, for an image that is turned by an angle.
        """
        image: Image = np.rot90(inner[:, ::-1] if self.mirror else inner, self.turns)
        if self.angle:
            middle = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
            matrix = cv2.getRotationMatrix2D(middle, self.angle, 1.0)
            matrix[:, 2] += (size[0] - 1) / 2 - middle[0], (size[1] - 1) / 2 - middle[1]
            image = np.asarray(cv2.warpAffine(np.ascontiguousarray(image), matrix, size), np.uint8)
        return np.ascontiguousarray(image)


def geometry_of(
    picture: Any,
    aspect: Fraction | float | None = None,
    crop: tuple[int, int, int, int] = (0, 0, 0, 0),
) -> Geometry:
    """The geometry of a decoded frame.

    Args:
        picture: The frame.
        aspect: Width of its pixels divided by their height, as its stream says.
        crop: Pixels to be cut off, as its container says: left, top, right, bottom.
    """
    left, top, right, bottom = crop
    if min(crop) < 0 or left + right >= picture.width or top + bottom >= picture.height:
        crop = (0, 0, 0, 0)
    mirror, turns, angle = decompose(_display_matrix(picture))
    pixels = _believed(aspect)
    return Geometry(picture.width, picture.height, crop, pixels, mirror, turns, angle)


def exif_geometry(width: int, height: int, orientation: int) -> Geometry:
    """The geometry of a stored image with an EXIF orientation, 1 to 8; others count as 1."""
    mirror, turns = _ORIENTATIONS.get(orientation, _ORIENTATIONS[1])
    return Geometry(width, height, mirror=mirror, turns=turns)


def decompose(matrix: NDArray[np.floating] | None) -> tuple[bool, int, float]:
    """What a display matrix does to an image: mirrored, quarter turns and the angle that is left.

    Its scale is left out, for sizes come from the pixels; so are shifts, shear and perspective.

    Args:
        matrix: (3, 3) as FFmpeg has it: a point (x, y, 1), y downwards, times the matrix is where
            it is shown. None is an image that is shown as it is.

    Returns:
        Whether left and right are exchanged before turning; quarter turns counter-clockwise, 0 to
        3; degrees counter-clockwise that remain, 0.0 unless more than `SMALLEST_ANGLE`.
    """
    if matrix is None:
        return False, 0, 0.0
    linear = np.asarray(matrix, np.float64)[:2, :2].T
    lengths = np.linalg.norm(linear, axis=0)
    if not np.isfinite(linear).all() or not lengths.all():
        return False, 0, 0.0
    linear = linear / lengths
    if abs(np.linalg.det(linear)) < 0.1:  # flattened to a line
        return False, 0, 0.0
    mirror = bool(np.linalg.det(linear) < 0)
    if mirror:
        linear = linear @ np.diag([-1.0, 1.0])
    # the nearest turn; clockwise for the eye is positive where y points downwards
    degrees = -math.degrees(math.atan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
    quarters = round(degrees / 90)
    rest = degrees - 90 * quarters
    return mirror, quarters % 4, rest if abs(rest) > SMALLEST_ANGLE + 0.01 else 0.0


def _believed(aspect: Fraction | float | None) -> float:
    ratio = float(aspect) if aspect else 1.0
    return ratio if NARROWEST <= ratio <= WIDEST and abs(ratio - 1) > SQUARE else 1.0


def _display_matrix(picture: Any) -> NDArray[np.float64] | None:
    try:
        data = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV gives up at side data that it has no name for, such as EXIF
        data = _without_unnamed(picture).side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    return np.frombuffer(bytes(data), "=i4", 9).reshape(3, 3) / [65536, 65536, 1 << 30]


def _without_unnamed(picture: Any) -> Any:
    graph = Graph()
    nodes = [
        graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=picture.time_base,
        ),
        *(graph.add("sidedata", f"mode=delete:type={number}") for number in _UNNAMED),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.push(picture)
    return graph.pull()
