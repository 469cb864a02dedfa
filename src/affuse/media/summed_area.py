"""Area resizing through summed-area tables: exact, and a crop costs only its output pixels.

A pixel of the result is the mean of the source pixels that it touches: along a side of n pixels
resized to m, pixel i is the mean from floor(i n / m) to ceil((i + 1) n / m).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def summed_area(images: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Sums above and to the left of every pixel corner.

    Args:
        images: (B, H, W, 3).

    Returns:
        (B, H + 1, W + 1, 3). Sums of very large images wrap around, which differences undo.
    """
    return np.stack([cv2.integral(image, sdepth=cv2.CV_32S) for image in images])


def _edges(
    first: NDArray[np.intp], length: NDArray[np.intp], parts: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where the parts of intervals (N,) begin and end, both (N, parts)."""
    steps = np.arange(parts)
    begin = first[:, None] + steps * length[:, None] // parts
    end = first[:, None] - (-(steps + 1) * length[:, None] // parts)
    return begin, end


def resize_images(sums: NDArray[np.int32], height: int, width: int) -> NDArray[np.float32]:
    """Resize all images: (B, H + 1, W + 1, 3) sums to (B, height, width, 3) levels."""
    zero = np.zeros(1, np.intp)
    (top,), (bottom,) = _edges(zero, np.array([sums.shape[1] - 1]), height)
    (left,), (right,) = _edges(zero, np.array([sums.shape[2] - 1]), width)
    rows = sums.take(bottom, 1) - sums.take(top, 1)
    total = rows.take(right, 2) - rows.take(left, 2)
    pixels = np.outer(bottom - top, right - left).astype(np.float32)
    return total.astype(np.float32) / pixels[..., None]


def resize_crops(
    sums: NDArray[np.int32], source: NDArray[np.intp], boxes: NDArray[np.intp], side: int
) -> NDArray[np.float32]:
    """Cut boxes out of images and resize each to a square.

    Args:
        sums: (B, H + 1, W + 1, 3).
        source: (N,) number of the image of each box.
        boxes: (N, 4) x1, y1, x2, y2, inside the image and not empty.
        side: Of the result in pixels.

    Returns:
        (N, side, side, 3) levels.
    """
    left, right = _edges(boxes[:, 0], boxes[:, 2] - boxes[:, 0], side)
    top, bottom = _edges(boxes[:, 1], boxes[:, 3] - boxes[:, 1], side)
    flat = sums.reshape(-1, 3)
    height, width = sums.shape[1:3]
    top, bottom = ((source[:, None] * height + rows) * width for rows in (top, bottom))

    def corner(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.int32]:
        return flat.take(rows[:, :, None] + columns[:, None, :], 0)

    total = corner(bottom, right)
    total -= corner(bottom, left)
    total -= corner(top, right)
    total += corner(top, left)
    pixels = (right - left)[:, None, :] * ((bottom - top) // width)[:, :, None]
    return total.astype(np.float32) / pixels[..., None].astype(np.float32)
