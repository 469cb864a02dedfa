"""MTCNN face detection (Zhang et al. 2016) as in the published emotion pipelines.

Zhang, Zhang, Li, Qiao: Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks. IEEE Signal Processing Letters 23(10), 2016. Three networks look at ever fewer and larger
crops: P-Net at all windows of an image pyramid, R-Net and O-Net at what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.media.boxes import Array, non_maximum_suppression
from affuse.media.detectors import Detector, Face
from affuse.media.engine import engine
from affuse.media.summed_area import resize_crops, resize_images, summed_area

#: Images (N, h, w, 3) -> probabilities of a face, corrections of boxes, and landmarks.
Network = Callable[[NDArray[np.float32]], tuple[np.ndarray, ...]]
#: Numbers of boxes and the boxes (N, 4) -> what is in them, (N, side, side, 3) levels.
_Cropping = Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float32]]

CELL, STRIDE = 12, 2  # side and step of P-Net's window, in pixels
P_NET_PIXELS = 100_000  # per pass; more fall out of the cache and take longer
CROPS = 16  # per pass of R-Net and O-Net, for the same reason
AROUND = (0.8, 1.0)  # sides, as parts of an expected box, at which a face is looked for around it
LIKELY = 0.5  # least probability of R-Net for that


class MTCNN(Detector):
    """Multitask cascaded convolutional networks.

    Args:
        min_face_size: See `Detector`.
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
        super().__init__(min_face_size, max_side)
        self.thresholds = thresholds
        self.factor = factor
        self.p_net, self.r_net, self.o_net = _networks()

    def _search(self, images: NDArray[np.uint8]) -> list[list[Face]]:
        sums = summed_area(images)
        source, boxes = self._propose(sums)
        source, boxes = self._refine(sums, source, boxes)
        return self._describe(sums, source, boxes)

    def confirm(self, image: NDArray[np.uint8], boxes: NDArray[np.floating]) -> list[Face | None]:
        """See `Detector`: R-Net at two sizes around each box, and O-Net on the better one."""
        if not len(boxes):
            return []
        squares = _square(np.asarray(boxes, np.float32))
        middle = (squares[:, :2] + squares[:, 2:]) / 2
        half = squares[:, 2:] - middle
        tried = np.stack(
            [np.hstack([middle - half * side, middle + half * side]) for side in AROUND], 1
        ).reshape(-1, 4)
        found: list[Face | None] = [None] * len(boxes)
        likely = _classify(self.r_net, LIKELY, tried, _crops_of(image, 24), image.shape)
        of_box = likely.rows // len(AROUND)
        order = np.lexsort((-likely.scores, of_box))
        best = order[np.unique(of_box[order], return_index=True)[1]]
        refined = _square(likely.refined()[best])
        sure = _classify(self.o_net, self.thresholds[2], refined, _crops_of(image, 48), image.shape)
        for row, face in zip(sure.rows, sure.faces(), strict=True):
            found[of_box[best[row]]] = face
        return found

    def _scales(self, height: int, width: int) -> list[float]:
        """Sizes of the pyramid relative to the image, the largest first."""
        scales = []
        scale = CELL / self.min_face_size
        shorter = min(height, width) * scale
        while shorter >= CELL:
            scales.append(scale)
            scale *= self.factor
            shorter *= self.factor
        return scales

    def _propose(self, sums: NDArray[np.int32]) -> tuple[NDArray[np.intp], Array]:
        """P-Net: image numbers (N,) and square boxes (N, 4) that may hold a face."""
        batch, height, width = sums.shape[0], sums.shape[1] - 1, sums.shape[2] - 1
        found = [(np.zeros(0, np.intp), *(np.zeros(n, np.float32) for n in ((0, 4), 0, (0, 4))))]
        for scale in self._scales(height, width):
            size = (int(height * scale + 1), int(width * scale + 1))
            step = max(1, P_NET_PIXELS // (size[0] * size[1]))
            for first in range(0, batch, step):
                levels = resize_images(sums[first : first + step], *size)
                probability, correction, *_ = self.p_net(_network_input(levels))
                image, y, x = np.nonzero(probability >= self.thresholds[0])
                scores = probability[image, y, x]
                shift = correction[image, :, y, x]
                corner = np.stack([x, y], 1).astype(np.float32) * STRIDE
                boxes = np.hstack([corner + 1, corner + CELL]) / np.float32(scale)
                boxes, source = np.floor(boxes), image + first
                keep = _suppress(source, boxes, scores, 0.5)
                found.append((source[keep], boxes[keep], scores[keep], shift[keep]))
        source, boxes, scores, shift = (np.concatenate(parts) for parts in zip(*found, strict=True))
        keep = _suppress(source, boxes, scores, 0.7)
        source, boxes, shift = source[keep], boxes[keep], shift[keep]
        return source, _square(boxes + shift * _sides(boxes))

    def _refine(
        self, sums: NDArray[np.int32], source: NDArray[np.intp], boxes: Array
    ) -> tuple[NDArray[np.intp], Array]:
        """R-Net: those of the boxes that hold a face, corrected and square again."""
        crops = _crops_from(sums, source, 24)
        found = _classify(self.r_net, self.thresholds[1], boxes, crops, _shape(sums))
        source = source[found.rows]
        keep = _suppress(source, found.boxes, found.scores, 0.7)
        return source[keep], _square(found.refined()[keep])

    def _describe(
        self, sums: NDArray[np.int32], source: NDArray[np.intp], boxes: Array
    ) -> list[list[Face]]:
        """O-Net: the faces of each image with their landmarks."""
        crops = _crops_from(sums, source, 48)
        found = _classify(self.o_net, self.thresholds[2], boxes, crops, _shape(sums))
        source, described = source[found.rows], found.faces()
        faces: list[list[Face]] = [[] for _ in range(len(sums))]
        # this last suppression counts the last row and column of a box as part of it
        inclusive = found.refined() + np.array([0, 0, 1, 1], np.float32)
        for i in _suppress(source, inclusive, found.scores, 0.7, relative_to="smaller"):
            faces[source[i]].append(described[i])
        return faces


@dataclass(frozen=True)
class _Classified:
    """What R-Net or O-Net takes for faces.

    Attributes:
        rows: (K,) numbers of the boxes among those that it was given.
        boxes: (K, 4).
        scores: (K,) probabilities.
        shift: (K, 4) corrections relative to the box.
        points: (K, 10) landmarks relative to the box, or (K, 0) from R-Net.
    """

    rows: NDArray[np.intp]
    boxes: Array
    scores: Array
    shift: Array
    points: Array

    def refined(self) -> Array:
        """Corrected boxes (K, 4)."""
        return self.boxes + self.shift * (_sides(self.boxes) + 1)

    def faces(self) -> list[Face]:
        """The faces, from O-Net."""
        sides = _sides(self.boxes) + 1
        x = self.boxes[:, :1] - 1 + sides[:, :1] * self.points[:, :5]
        y = self.boxes[:, 1:2] - 1 + sides[:, 1:2] * self.points[:, 5:]
        landmarks = np.stack([x, y], 2).astype(np.float64)
        return [
            Face((x1, y1, x2, y2), float(score), points)
            for (x1, y1, x2, y2), score, points in zip(
                self.refined().tolist(), self.scores, landmarks, strict=True
            )
        ]


def _shape(sums: NDArray[np.int32]) -> tuple[int, ...]:
    """Height and width of summed images."""
    return sums.shape[1] - 1, sums.shape[2] - 1


def _crops_from(sums: NDArray[np.int32], source: NDArray[np.intp], side: int) -> _Cropping:
    """Cuts boxes out of images (N,) of a batch, as the published rule does."""
    return lambda rows, boxes: resize_crops(sums, source[rows], boxes, side)


def _crops_of(image: NDArray[np.uint8], side: int) -> _Cropping:
    """Cuts a few boxes out of one image, without sums over all of it."""
    size = (side, side)
    return lambda rows, boxes: np.array(
        [
            cv2.resize(image[y1:y2, x1:x2], size, interpolation=cv2.INTER_AREA)
            for x1, y1, x2, y2 in boxes.tolist()
        ],
        np.float32,
    ).reshape(-1, side, side, 3)


def _networks() -> tuple[Network, Network, Network]:
    """P-Net, R-Net and O-Net."""
    if engine() == "torch":
        from affuse.media.mtcnn_networks import networks
    else:
        from affuse.media.mtcnn_graphs import networks
    return networks()


def _network_input(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Levels (N, h, w, 3) 0 to 255 as the networks' input."""
    return (levels - np.float32(127.5)) / np.float32(128)


def _sides(boxes: Array) -> Array:
    """Width, height, width, height (N, 4), to scale corrections with."""
    return np.tile(boxes[:, 2:] - boxes[:, :2], 2)


def _square(boxes: Array) -> Array:
    """Squares (N, 4) around the same centres, with the longer side."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(1, keepdims=True)
    corner = boxes[:, :2] + sides / 2 - longer / 2
    return np.hstack([corner, corner + longer])


def _suppress(
    source: NDArray[np.intp],
    boxes: Array,
    scores: Array,
    threshold: float,
    relative_to: Literal["union", "smaller"] = "union",
) -> NDArray[np.intp]:
    """Non-maximum suppression in each image by itself."""
    kept = [np.zeros(0, np.intp)]
    for image in np.unique(source):
        members = np.flatnonzero(source == image)
        kept.append(
            members[
                non_maximum_suppression(boxes[members], scores[members], threshold, relative_to)
            ]
        )
    return np.concatenate(kept)


def _classify(
    network: Network,
    threshold: float,
    boxes: Array,
    crops: _Cropping,
    shape: tuple[int, ...],
) -> _Classified:
    """Run R-Net or O-Net on boxes (N, 4) of images of a shape and keep what it takes for a face."""
    height, width = shape[:2]
    pixels = np.trunc(boxes).astype(np.intp)
    # the published rule counts pixels from one: its box takes in pixel x1 - 1
    inside = np.hstack(
        [np.maximum(pixels[:, :2], 1) - 1, np.minimum(pixels[:, 2:], [width, height])]
    )
    rows = np.flatnonzero((inside[:, 2:] > inside[:, :2]).all(1))
    boxes, inside = boxes[rows], inside[rows]
    found = []
    for first in range(0, max(1, len(boxes)), CROPS):  # no box: one empty pass gives the shapes
        part = slice(first, first + CROPS)
        levels = crops(rows[part], inside[part])
        found.append(network(_network_input(levels)))
    scores, shift, points = (np.concatenate(parts) for parts in zip(*found, strict=True))
    keep = scores >= threshold
    return _Classified(rows[keep], boxes[keep], scores[keep], shift[keep], points[keep])
