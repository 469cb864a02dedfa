"""What a face looks like, so that people of one recording can be told apart."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.media.crops import cut_out
from affuse.media.detectors import Face

SAME = 0.8
"""Likeness from which two faces are of one person (docs/results/people.md)."""

DIFFERENT = 0.6
"""Likeness below which they are not."""

_SIDE, _CELLS, _UPPER = 64, 16, 11  # pixels of an aligned crop, cells of a side, and rows of these
_BOX = np.zeros(4)


@dataclass(frozen=True)
class _Image:
    """An image as `cut_out` takes it."""

    pixels: NDArray[np.uint8]

    @property
    def width(self) -> int:
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        return self.pixels.shape[0]

    def part(self, x1: int, y1: int, x2: int, y2: int) -> NDArray[np.uint8]:
        return self.pixels[y1:y2, x1:x2]


def looks_of(image: NDArray[np.uint8], face: Face) -> NDArray[np.float64] | None:
    """What a face looks like, whatever it says.

    The brightness of the upper two thirds of an aligned crop (mouths move), coarsely, without its
    mean and in relation to its contrast. The product of two is their likeness, -1 to 1.

    Args:
        image: (H, W, 3) RGB.
        face: In pixels of the image.

    Returns:
        (176,) of length one; None for a face without landmarks, or with all in one place.
    """
    if face.landmarks is None or np.ptp(face.landmarks, axis=0).min() < 1:
        return None
    crop = cut_out(_Image(image), _BOX, face.landmarks, _SIDE, 0.0, True)
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    cells = cv2.resize(grey, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)[:_UPPER]
    levels = cells.astype(np.float64).ravel() - cells.mean()
    return np.asarray(levels / max(float(np.linalg.norm(levels)), 1e-9))
