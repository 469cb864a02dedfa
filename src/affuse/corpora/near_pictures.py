"""Small images that show nearly the same: copies with other crops, watermarks or contrast."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: Correlation at `_SIZE` from which two images show the same. Measured on FER+: of pairs just
#: above it all that were looked at were copies, at 0.92 two thirds (docs/results/near_pictures.py).
THRESHOLD = 0.94
_SIZE = 24
#: Size and correlation at which pairs are found that are compared at `_SIZE`.
_COARSE, _CANDIDATE = 12, 0.94
#: Images that are compared with all others at once.
_BLOCK = 1024


def near_groups(pictures: NDArray[np.uint8]) -> NDArray[np.intp]:
    """Groups of images that are nearly the same, directly or through others.

    Args:
        pictures: (N, H, W) grey.

    Returns:
        (N,): of each image the first one of its group.
    """
    coarse, fine = correlation_patterns(pictures, _COARSE), correlation_patterns(pictures)
    home = np.arange(len(pictures))
    for first in range(0, len(pictures), _BLOCK):
        alike = coarse[first : first + _BLOCK] @ coarse[first:].T >= _CANDIDATE
        for one, other in np.argwhere(np.triu(alike, 1)) + first:
            if fine[one] @ fine[other] >= THRESHOLD:
                a, b = _first(home, one), _first(home, other)
                home[max(a, b)] = min(a, b)
    return np.array([_first(home, k) for k in range(len(home))])


def _first(home: NDArray[np.intp], k: int) -> int:
    while home[k] != k:
        home[k] = home[home[k]]
        k = home[k]
    return int(k)


def correlation_patterns(pictures: NDArray[np.uint8], size: int = _SIZE) -> NDArray[np.float32]:
    """(N, H, W) -> (N, size * size) of mean 0 and length 1, so that products are correlations."""
    small = [cv2.resize(x, (size, size), interpolation=cv2.INTER_AREA) for x in pictures]
    rows = np.reshape(small, (len(small), -1)).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-3))
