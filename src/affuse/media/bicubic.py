"""Images brought to a size as Pillow does it: cubic, over as many pixels as fall on one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Bits after the point in which Pillow holds weights and sums.
_BITS = 22
#: Pixels of the smaller of both images that a weight reaches to either side.
_REACH = 2.0


def resize_bicubic(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """An image in another size: of a square one, what `Image.resize` of Pillow makes from 7 on.

    Rows are shortened before columns, and rounded to 8 bits between; later versions of Pillow begin
    with the columns where that is faster, which it never is for squares.

    Args:
        picture: (H, W, C).
        height: Of the result, in pixels.
        width: Of the result, in pixels.

    Returns:
        (height, width, C).
    """
    weights = _weights(picture.shape[1], width), _weights(picture.shape[0], height)
    values = picture
    for matrix in weights:  # along columns, then, turned, along rows
        sums = np.tensordot(matrix, values.astype(np.float64), (1, 1))  # whole numbers below 2^53
        values = np.clip(np.floor(sums / 2**_BITS + 0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(values)


@lru_cache(maxsize=64)
def _weights(source: int, target: int) -> NDArray[np.float64]:
    """(target, source) whole numbers, 2^22 for one: cubic with a = -0.5, wider where it shrinks."""
    scale = source / target
    stretch = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    first = np.maximum((centres - _REACH * stretch + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + _REACH * stretch + 0.5).astype(np.int64), source)
    pixels = np.arange(source)
    x = np.abs((pixels + 0.5 - centres[:, None]) / stretch)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    weights[(pixels < first[:, None]) | (pixels >= last[:, None])] = 0.0
    weights *= 2**_BITS / weights.sum(1, keepdims=True)
    return np.trunc(weights + np.copysign(0.5, weights))
