"""Images that show nearly the same are one group, whatever was done to the copies."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ferplus import copy_of, smooth

from affuse.corpora.near_pictures import near_groups


@given(st.lists(st.integers(0, 5), min_size=1, max_size=14), st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_copies_are_in_the_group_of_the_first_and_others_are_alone(
    which: list[int], seed: int
) -> None:
    random = np.random.default_rng(seed)
    originals = [smooth(random) for _ in range(6)]
    pictures = np.stack([copy_of(originals[k], random) for k in which])
    assert near_groups(pictures).tolist() == [which.index(k) for k in which]


def watermarked(picture: np.ndarray) -> np.ndarray:
    marked = picture.copy()
    marked[43:46, 30:46:2] = 255
    return marked


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x[1:47, 1:47].repeat(2, 0).repeat(2, 1),
        lambda x: np.roll(x, 1, 1),
        watermarked,
        lambda x: np.clip(255 * (x / 255) ** 0.8, 0, 255).astype(np.uint8),
    ],
    ids=["crop", "shift", "watermark", "gamma"],
)
def test_small_changes_leave_a_copy(change: Callable[[np.ndarray], np.ndarray]) -> None:
    random = np.random.default_rng(3)
    for picture in (smooth(random) for _ in range(20)):
        changed = cv2.resize(change(picture), (48, 48), interpolation=cv2.INTER_AREA)
        groups = near_groups(np.stack([smooth(random), picture, changed]))
        assert groups.tolist() == [0, 1, 1]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_two_that_resemble_a_third_are_one_group(order: tuple[int, ...]) -> None:
    wave = np.cos(np.pi * (np.arange(48) + 0.5) / 48)
    across, down = np.meshgrid(wave, wave)
    # 15 degrees from one to the next: correlations of 0.97, and of 0.87 over two steps
    turns = [np.deg2rad(15 * k) for k in order]
    pictures = [128 + 80 * (np.cos(turn) * across + np.sin(turn) * down) for turn in turns]
    three = np.stack(pictures).round().astype(np.uint8)
    assert near_groups(three).tolist() == [0, 0, 0]
    ends = three[[order.index(0), order.index(2)]]
    assert near_groups(ends).tolist() == [0, 1]


def test_copies_are_found_however_far_apart_they_are() -> None:
    random = np.random.default_rng(0)
    pictures = np.stack([smooth(random) for _ in range(2100)])
    pairs = {0: 2099, 1022: 1023, 1023: 1024, 1500: 1501, 40: 1030}
    for original, copy in pairs.items():
        pictures[copy] = copy_of(pictures[original], random)
    expected = np.arange(2100)
    for original, copy in sorted(pairs.items()):
        expected[copy] = expected[original]
    np.testing.assert_array_equal(near_groups(pictures), expected)


def test_a_picture_of_one_grey_resembles_no_face() -> None:
    random = np.random.default_rng(0)
    pictures = [np.full((48, 48), 90, np.uint8), smooth(random), smooth(random)]
    assert near_groups(np.stack(pictures)).tolist() == [0, 1, 2]
