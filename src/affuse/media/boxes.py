"""Boxes in an image, as (..., 4) arrays x1, y1, x2, y2 in pixels."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


def area(boxes: Array) -> Array:
    """Areas (...) of boxes (..., 4), in square pixels; an empty box has none."""
    sides = np.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    return sides[..., 0] * sides[..., 1]


def intersection(a: Array, b: Array) -> Array:
    """Areas that boxes have in common, in square pixels; `a` and `b` broadcast."""
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0])
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1])
    return np.maximum(width, 0) * np.maximum(height, 0)


def intersection_over_union(a: Array, b: Array) -> Array:
    """Shared area as a part of the union, 0 to 1; `a` and `b` broadcast."""
    shared = intersection(a, b)
    return shared / np.maximum(area(a) + area(b) - shared, 1e-9)


def non_maximum_suppression(
    boxes: Array,
    scores: Array,
    threshold: float,
    relative_to: Literal["union", "smaller"] = "union",
) -> NDArray[np.intp]:
    """Keep the best of boxes that show the same thing.

    Args:
        boxes: (N, 4).
        scores: (N,); equal scores keep their order.
        threshold: A box goes when it overlaps a better one by more than this.
        relative_to: What the overlap is measured against.

    Returns:
        (K,) indices of the boxes that stay, best first.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, areas = boxes[order], area(boxes[order])
    left = np.arange(len(order))
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(order[best])
        shared = intersection(boxes[best], boxes[left])
        if relative_to == "union":
            whole = areas[best] + areas[left] - shared
        else:
            whole = np.minimum(areas[best], areas[left])
        left = left[shared <= threshold * whole]
    return np.array(kept, np.intp)
