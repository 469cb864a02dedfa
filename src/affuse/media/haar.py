"""The Haar cascade that comes with OpenCV: no weights, no torch, and only upright frontal faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.errors import AffuseError
from affuse.media.detectors import Detector, Face


class Haar(Detector):
    """A cascade of boosted Haar features (Viola and Jones 2001), OpenCV's default frontal face.

    Its boxes are squares, somewhat wider than those of MTCNN, without landmarks.

    Args:
        min_face_size: See `Detector`.
        max_side: See `Detector`.

    Raises:
        AffuseError: The installed OpenCV has no cascades (they went with version 5).
    """

    def __init__(self, min_face_size: int = 40, max_side: int | None = None) -> None:
        super().__init__(min_face_size, max_side)
        file = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        if not hasattr(cv2, "CascadeClassifier") or not file.is_file():
            raise AffuseError(f"OpenCV {cv2.__version__} has no Haar cascades; use one before 5")
        self._cascade = cv2.CascadeClassifier(str(file))

    def _search(self, images: NDArray[np.uint8]) -> list[list[Face]]:
        smallest = (self.min_face_size, self.min_face_size)
        faces = []
        for image in images:
            grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            boxes, _, weights = self._cascade.detectMultiScale3(
                grey, scaleFactor=1.1, minNeighbors=5, minSize=smallest, outputRejectLevels=True
            )
            found = []
            for (x, y, width, height), weight in zip(boxes, np.ravel(weights), strict=True):
                # the margin of the last stage, squashed: an order, not a calibrated probability
                probability = 1 / (1 + np.exp(-float(weight)))
                box = (float(x), float(y), float(x + width), float(y + height))
                found.append(Face(box, probability))
            faces.append(found)
        return faces
