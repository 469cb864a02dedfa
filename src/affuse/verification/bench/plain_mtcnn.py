"""MTCNN as the published pipelines run it, written plainly: one image after the other."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from affuse.media.mtcnn_networks import networks

Array = NDArray[np.float32]


class PlainMTCNN:
    """Finds faces with the published settings; the networks and their weights are affuse's.

    Args:
        min_face_size: Side of the smallest face in pixels.

    Source: Zhang et al. 2016, as the code release of Chumachenko et al. 2022 uses it.
    """

    thresholds, factor = (0.6, 0.7, 0.7), 0.709

    def __init__(self, min_face_size: int = 20) -> None:
        self.min_face_size = min_face_size
        self.p_net, self.r_net, self.o_net = networks()

    def detect(self, image: NDArray[np.uint8]) -> Array:
        """The faces (N, 4) x1, y1, x2, y2 of an RGB image (H, W, 3), the largest first."""
        boxes = self._proposed(image)
        boxes, scores, shift = self._looked_at(image, boxes, 24, 1)
        keep = _suppressed(boxes, scores, 0.7)
        boxes = _square(boxes[keep] + shift[keep] * (_sides(boxes[keep]) + 1))
        boxes, scores, shift = self._looked_at(image, boxes, 48, 2)
        boxes = boxes + shift * (_sides(boxes) + 1)
        boxes = boxes[_suppressed(np.add(boxes, [0, 0, 1, 1]), scores, 0.7, of_smaller=True)]
        sides = _sides(boxes)
        return boxes[np.argsort(-sides[:, 0] * sides[:, 1], kind="stable")]

    def _proposed(self, image: NDArray[np.uint8]) -> Array:
        """P-Net on a pyramid of the image."""
        height, width = image.shape[:2]
        scale = 12 / self.min_face_size
        found = []
        while min(height, width) * scale >= 12:
            level = _resized(image, int(height * scale + 1), int(width * scale + 1))
            probability, shift = self.p_net(level[None])
            y, x = np.nonzero(probability[0] >= self.thresholds[0])
            corner = np.stack([x, y], 1).astype(np.float32) * 2
            boxes = np.floor(np.hstack([corner + 1, corner + 12]) / np.float32(scale))
            scores = probability[0, y, x]
            keep = _suppressed(boxes, scores, 0.5)
            found.append((boxes[keep], scores[keep], shift[0][:, y, x].T[keep]))
            scale *= self.factor
        boxes, scores, shifts = (np.concatenate(parts) for parts in zip(*found, strict=True))
        keep = _suppressed(boxes, scores, 0.7)
        return _square(boxes[keep] + shifts[keep] * _sides(boxes[keep]))

    def _looked_at(
        self, image: NDArray[np.uint8], boxes: Array, side: int, stage: int
    ) -> tuple[Array, Array, Array]:
        """Boxes, scores and corrections of what R-Net (stage 1) or O-Net (stage 2) keeps."""
        height, width = image.shape[:2]
        crops, kept = [], []
        for box in boxes:
            x1, y1, x2, y2 = np.trunc(box).astype(int)
            x1, y1, x2, y2 = max(x1, 1) - 1, max(y1, 1) - 1, min(x2, width), min(y2, height)
            if x2 > x1 and y2 > y1:
                crops.append(_resized(image[y1:y2, x1:x2], side, side))
                kept.append(box)
        if not crops:
            return (
                np.zeros((0, 4), np.float32),
                np.zeros(0, np.float32),
                np.zeros((0, 4), np.float32),
            )
        network = (self.r_net, self.o_net)[stage - 1]
        scores, shift, _ = network(np.stack(crops))
        sure = scores >= self.thresholds[stage]
        return np.stack(kept)[sure], scores[sure], shift[sure]


def _resized(image: NDArray[np.uint8], height: int, width: int) -> Array:
    """(height, width, 3) as the networks take it: means over areas, -1 to 1."""
    x = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
    x = F.interpolate(x, size=(height, width), mode="area")
    return ((x[0].permute(1, 2, 0).numpy() - np.float32(127.5)) / np.float32(128)).copy()


def _sides(boxes: Array) -> Array:
    """Width, height, width, height (N, 4)."""
    return np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _square(boxes: Array) -> Array:
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(1, keepdims=True) if len(boxes) else sides[:, :1]
    corner = boxes[:, :2] + sides / 2 - longer / 2
    return np.hstack([corner, corner + longer])


def _suppressed(
    boxes: Array, scores: Array, threshold: float, of_smaller: bool = False
) -> list[int]:
    """Numbers of the boxes that are left of those that overlap, the surest first."""
    left = [int(k) for k in np.argsort(-scores, kind="stable")]
    kept: list[int] = []
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], 1)
    while left:
        best, *rest = left
        kept.append(best)
        if not rest:
            break
        corner = np.maximum(boxes[best, :2], boxes[rest, :2])
        common = np.maximum(np.minimum(boxes[best, 2:], boxes[rest, 2:]) - corner, 0).prod(1)
        if of_smaller:
            overlap = common / np.minimum(areas[best], areas[rest])
        else:
            overlap = common / (areas[best] + areas[rest] - common)
        left = [k for k, share in zip(rest, overlap, strict=True) if not share > threshold]
    return kept
