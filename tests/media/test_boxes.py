from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from affuse.media.boxes import area, intersection_over_union, non_maximum_suppression
from affuse.media.summed_area import resize_crops, resize_images, summed_area

corners = hnp.arrays(np.float64, st.tuples(st.integers(0, 30), st.just(4)),
                     elements=st.integers(0, 40).map(float))  # fmt: skip


def as_boxes(values: np.ndarray) -> np.ndarray:
    return np.hstack([values[:, :2], values[:, :2] + values[:, 2:] + 1])


@given(corners, corners)
def test_intersection_over_union_is_symmetric_and_bounded(a: np.ndarray, b: np.ndarray) -> None:
    a, b = as_boxes(a), as_boxes(b)
    shared = intersection_over_union(a[:, None], b[None])
    assert np.allclose(shared, intersection_over_union(b[:, None], a[None]).T)
    assert ((shared >= 0) & (shared <= 1)).all()
    assert np.allclose(np.diag(intersection_over_union(a[:, None], a[None])), 1)


def test_intersection_over_union_of_known_boxes() -> None:
    a, b = np.array([0.0, 0, 2, 2]), np.array([1.0, 1, 3, 3])
    assert intersection_over_union(a, b) == pytest.approx(1 / 7)
    assert intersection_over_union(a, a + 5) == 0
    assert area(np.array([3.0, 3, 1, 9])) == 0


@given(corners, st.floats(0.05, 0.95), st.integers(0, 99), st.sampled_from(["union", "smaller"]))
def test_suppression_keeps_the_best_and_drops_only_what_they_cover(
    values: np.ndarray, threshold: float, seed: int, relative_to: str
) -> None:
    boxes = as_boxes(values)
    scores = np.random.default_rng(seed).integers(0, 5, len(boxes)) / 5  # with ties

    def covers(i: int, j: int) -> bool:
        sides = np.minimum(boxes[i, 2:], boxes[j, 2:]) - np.maximum(boxes[i, :2], boxes[j, :2])
        shared = np.prod(np.maximum(sides, 0))
        areas = area(boxes[i]), area(boxes[j])
        whole = sum(areas) - shared if relative_to == "union" else min(areas)
        return bool(shared > threshold * whole)

    expected: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if not any(covers(j, i) for j in expected):
            expected.append(i)
    kept = non_maximum_suppression(boxes, scores, threshold, relative_to)
    assert kept.tolist() == expected


def mean_of_part(image: np.ndarray, height: int, width: int) -> np.ndarray:
    result = np.zeros((height, width, 3))
    for i in range(height):
        top, bottom = i * len(image) // height, -(-(i + 1) * len(image) // height)
        for j in range(width):
            left, right = j * image.shape[1] // width, -(-(j + 1) * image.shape[1] // width)
            result[i, j] = image[top:bottom, left:right].mean((0, 1))
    return result


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 30), st.integers(1, 30))
def test_area_resizing_takes_the_mean_of_the_pixels_touched(
    height: int, width: int, new_height: int, new_width: int
) -> None:
    images = np.random.default_rng(height).integers(0, 256, (2, height, width, 3), np.uint8)
    resized = resize_images(summed_area(images), new_height, new_width)
    for image, result in zip(images, resized, strict=True):
        assert np.abs(result - mean_of_part(image, new_height, new_width)).max() < 1e-4


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_crops_are_resized_like_images(data: st.DataObject) -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 20, 30, 3), np.uint8)
    x1, y1 = data.draw(st.integers(0, 29)), data.draw(st.integers(0, 19))
    x2, y2 = data.draw(st.integers(x1 + 1, 30)), data.draw(st.integers(y1 + 1, 20))
    source, side = data.draw(st.integers(0, 1)), data.draw(st.integers(1, 24))
    boxes = np.array([[0, 0, 30, 20], [x1, y1, x2, y2]])
    crops = resize_crops(summed_area(images), np.array([0, source]), boxes, side)
    assert np.abs(crops[0] - mean_of_part(images[0], side, side)).max() < 1e-4
    part = images[source, y1:y2, x1:x2]
    assert np.abs(crops[1] - mean_of_part(part, side, side)).max() < 1e-4
