"""Face detectors: what one returns and which there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affuse.media.boxes import intersection_over_union
from affuse.registry import Entry, Registry

EXPECTED = 0.3  # overlap from which a face is where it was expected
BATCH_PIXELS = 4_000_000  # searched at once, which bounds the memory whatever the number of images


@dataclass(frozen=True)
class Face:
    """One face in one image.

    Attributes:
        box: x1, y1, x2, y2 in pixels; may reach beyond the image.
        probability: The detector's own, 0 to 1.
        landmarks: (5, 2) float64 x, y in pixels: the eye, the other eye, the tip of the nose and
            the corners of the mouth, each pair from left to right in the image; None from a
            detector that finds none.
        looks: See `affuse.media.appearance.looks_of`; None where nobody looked.
    """

    box: tuple[float, float, float, float]
    probability: float
    landmarks: NDArray[np.float64] | None = None
    looks: NDArray[np.float64] | None = None

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        x1, y1, x2, y2 = self.box
        return (x2 - x1) * (y2 - y1)

    def scaled(self, factor: float) -> Face:
        """The same face in an image that is `factor` times as large."""
        x1, y1, x2, y2 = self.box
        landmarks = None if self.landmarks is None else self.landmarks * factor
        box = (x1 * factor, y1 * factor, x2 * factor, y2 * factor)
        return Face(box, self.probability, landmarks, self.looks)

    def moved(self, x: float, y: float) -> Face:
        """The same face so many pixels to the right and further down."""
        x1, y1, x2, y2 = self.box
        landmarks = None if self.landmarks is None else self.landmarks + np.array([x, y])
        return Face((x1 + x, y1 + y, x2 + x, y2 + y), self.probability, landmarks)


class Detector(ABC):
    """Finds faces in images.

    Args:
        min_face_size: Side of the smallest face to be found, in pixels of the searched image.
        max_side: Images whose longer side is greater are searched at this size, in pixels; None
            searches them as they are. The faces are always given in pixels of the image itself.
    """

    def __init__(self, min_face_size: int, max_side: int | None = None) -> None:
        if min_face_size < 1 or (max_side is not None and max_side < 1):
            raise ValueError(f"sizes must be positive: {min_face_size=}, {max_side=}")
        self.min_face_size = min_face_size
        self.max_side = max_side

    def detect(self, frames: list[NDArray[np.uint8]]) -> list[list[Face]]:
        """Find the faces in each of some RGB images (H, W, 3) uint8, the largest first."""
        faces: list[list[Face]] = [[] for _ in frames]
        by_size: dict[tuple[int, ...], list[int]] = {}
        for index, frame in enumerate(frames):
            by_size.setdefault(frame.shape, []).append(index)
        for (height, width, _), indices in by_size.items():
            factor = max(height, width) / (self.max_side or np.inf)
            batch = [frames[index] for index in indices]
            if factor > 1:
                import cv2

                size = (max(1, round(width / factor)), max(1, round(height / factor)))
                smaller = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in batch]
                batch = [frame.astype(np.uint8, copy=False) for frame in smaller]
            step = max(1, BATCH_PIXELS // (batch[0].shape[0] * batch[0].shape[1]))
            for first in range(0, len(batch), step):
                part = slice(first, first + step)
                found = self._search(np.stack(batch[part]))
                for index, of_one in zip(indices[part], found, strict=True):
                    scaled = [face.scaled(factor) for face in of_one] if factor > 1 else of_one
                    faces[index] = sorted(scaled, key=lambda face: -face.area)
        return faces

    def confirm(self, image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> list[Face | None]:
        """Look for faces where they are expected, at a fraction of the cost of a search.

        A detector that cannot do so searches the whole image.

        Args:
            image: (H, W, 3) RGB, no larger than `max_side`.
            boxes: (N, 4) x1, y1, x2, y2 in pixels.

        Returns:
            The face at each of the boxes; None where there is none.
        """
        (faces,) = self.detect([image])
        if not faces:
            return [None] * len(boxes)
        places = np.array([face.box for face in faces])
        overlaps = [intersection_over_union(np.asarray(box), places) for box in boxes]
        return [faces[int(o.argmax())] if o.max() >= EXPECTED else None for o in overlaps]

    @abstractmethod
    def _search(self, images: NDArray[np.uint8]) -> list[list[Face]]:
        """Find the faces in RGB images (B, H, W, 3) uint8, in any order."""


DETECTORS: Registry[Entry] = Registry(
    "face detector",
    {
        "mtcnn": Entry("affuse.media.mtcnn:MTCNN", "MTCNN, as published pipelines use it"),
        "haar": Entry("affuse.media.haar:Haar", "the cascade of OpenCV, for frontal faces"),
    },
    group="affuse.detectors",
    listed_by="affuse list detectors",
)


def create_detector(name: str, **options: Any) -> Detector:
    """Create a face detector.

    Args:
        name: One of `DETECTORS`.
        options: Of the detector's class: `min_face_size` and `max_side` for all of them.

    Raises:
        AffuseError: There is no such detector.
    """
    detector: Detector = DETECTORS[name].load()(**options)
    return detector
