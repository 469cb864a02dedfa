"""MTCNN face detection (Zhang et al. 2016) as in the published emotion pipelines.

Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks. IEEE Signal Processing Letters 23(10), 2016. Three networks look at ever fewer and larger
crops: P-Net at all windows of an image pyramid, R-Net and O-Net at what is left.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from affuse.media.boxes import Array, non_maximum_suppression
from affuse.media.detectors import Detector, Face
from affuse.media.mtcnn_networks import networks

CELL, STRIDE = 12, 2  # side and step of P-Net's window, in pixels
P_NET_PIXELS = 1_000_000  # per pass, which bounds the memory for activations
CROPS = 256  # per pass of R-Net and O-Net


class MTCNN(Detector):
    """Multitask cascaded convolutional networks.

    Args:
        min_face_size: Side of the smallest face to be found, in pixels of the searched image.
        max_side: See `Detector`.
        thresholds: Least face probability after each of the three networks.
        factor: Ratio of the sizes of successive images of the pyramid.

    The defaults are the published ones.
    """

    def __init__(
        self,
        min_face_size: int = 20,
        max_side: int | None = None,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
    ) -> None:
        super().__init__(max_side)
        self.min_face_size = min_face_size
        self.thresholds = thresholds
        self.factor = factor
        self.p_net, self.r_net, self.o_net = networks()

    @torch.inference_mode()
    def _search(self, images: NDArray[np.uint8]) -> list[list[Face]]:
        sums = np.stack([cv2.integral(image) for image in images])
        source, boxes = self._propose(sums)
        source, boxes = self._refine(sums, source, boxes)
        return self._describe(sums, source, boxes)

    def _propose(self, sums: NDArray[np.int32]) -> tuple[NDArray[np.intp], Array]:
        """P-Net: image numbers (N,) and square boxes (N, 4) that may hold a face."""
        batch, height, width = sums.shape[0], sums.shape[1] - 1, sums.shape[2] - 1
        found = []
        for scale in self._scales(height, width):
            size = (int(height * scale + 1), int(width * scale + 1))
            step = max(1, P_NET_PIXELS // (size[0] * size[1]))
            for first in range(0, batch, step):
                levels = _resize_images(sums[first : first + step], size)
                probability, correction = self.p_net(levels)
                image, y, x = torch.nonzero(probability >= self.thresholds[0], as_tuple=True)
                scores = probability[image, y, x].numpy()
                shift = correction[image, :, y, x].numpy()
                corner = torch.stack([x, y], 1).numpy().astype(np.float32) * STRIDE + 1
                boxes = np.floor(np.hstack([corner, corner + (CELL - 1)]) / np.float32(scale))
                source = image.numpy() + first
                keep = _suppress(source, boxes, scores, 0.5)
                found.append((source[keep], boxes[keep], scores[keep], shift[keep]))
        source, boxes, scores, shift = (np.concatenate(parts) for parts in zip(*found, strict=True))
        keep = _suppress(source, boxes, scores, 0.7)
        source, boxes, shift = source[keep], boxes[keep], shift[keep]
        return source, _square(_corrected(boxes, shift, boxes[:, 2:] - boxes[:, :2]))
