"""How well a face is seen: what makes it worse never makes the measure better."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.media.crops import ALIGNED_LANDMARKS
from affuse.media.face import FaceOptions, Readings
from affuse.media.quality import FaceSeries, face_quality, sharpness_of, turn_of
from affuse.media.watching import Cut

#: Eyes, nose and corners of the mouth of a mean head: x to the right, y down, z to the viewer.
HEAD = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.63, 0.4], [-0.4, 1.15, 0], [0.4, 1.15, 0]])
BOX = np.array([0.0, 0.0, 90.0, 100.0])


def turned(yaw: float, pitch: float, roll: float = 0.0, scale: float = 60.0) -> np.ndarray:
    """Landmarks (5, 2) of the head, seen from far away."""
    a, b, c = np.radians([yaw, pitch, roll])
    nod = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    shake = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    points: np.ndarray = (HEAD @ (lean @ shake @ nod).T)[:, :2] * scale + 100
    return points


def drawn(seed: int, size: int = 96) -> np.ndarray:
    """(size, size, 3) something with detail of every size, as photographs have."""
    random = np.random.default_rng(seed)
    image = np.zeros((size, size), np.float64)
    for sigma in (0.7, 1.5, 3.0, 6.0, 12.0):
        layer = cv2.GaussianBlur(random.standard_normal((size, size)), (0, 0), sigma)
        image += layer / layer.std() * sigma
    image = 128 + 45 * image / image.std()
    return np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, -1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.6, 4.0), st.floats(1.2, 2.0))
def test_blurring_never_raises_sharpness(seed: int, sigma: float, factor: float) -> None:
    image = drawn(seed)
    blurred = [cv2.GaussianBlur(image, (0, 0), s) for s in (sigma, sigma * factor)]
    values = [face_quality(np.asarray(x), BOX, None).sharpness for x in (image, *blurred)]
    assert values[0] > values[1] > values[2]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 1.0), st.integers(-60, 60))
def test_sharpness_does_not_depend_on_contrast_and_light(
    seed: int, contrast: float, light: int
) -> None:
    image = (drawn(seed).astype(float) - 128) * 0.5
    values = [
        face_quality(np.clip(128 + x, 0, 255).astype(np.uint8), BOX, None).sharpness
        for x in (image, image * contrast + light)
    ]
    assert values[1] == pytest.approx(values[0], rel=0.2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_darkening_never_raises_light(seed: int, first: float, second: float) -> None:
    image = drawn(seed)
    noted = [
        face_quality((image * gain).astype(np.uint8), BOX, None)
        for gain in (1.0, first, first * second)
    ]
    assert noted[0].light >= noted[1].light >= noted[2].light
    assert 0 <= noted[2].clipped <= 1


def test_what_is_black_or_white_is_clipped() -> None:
    for level, light, clipped in ((0, 0.0, 1.0), (255, 1.0, 1.0), (128, 128 / 255, 0.0)):
        noted = face_quality(np.full((64, 64, 3), level, np.uint8), BOX, None)
        assert noted.light == pytest.approx(light) and noted.clipped == clipped
        assert noted.sharpness == 0 and np.isnan([noted.yaw, noted.pitch]).all()


@given(st.floats(1, 2000), st.floats(1, 2000), st.floats(0.1, 1))
def test_a_smaller_face_is_never_larger(wide: float, high: float, factor: float) -> None:
    crop = np.zeros((8, 8, 3), np.uint8)
    box = np.array([5, 7, 5 + wide, 7 + high])
    sizes = [face_quality(crop, x, None).size for x in (box, box * factor)]
    assert sizes[1] <= sizes[0] == pytest.approx(max(wide, high))


@given(st.floats(-80, 80), st.floats(-80, 80), st.floats(-30, 30))
def test_yaw_grows_with_the_turn_of_the_head(one: float, two: float, roll: float) -> None:
    low, high = sorted((one, two))
    yaws = [turn_of(turned(yaw, 0, roll))[0] for yaw in (low, high)]
    assert yaws == pytest.approx([low, high], abs=4)
    assert yaws[0] <= yaws[1] + 1e-6


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(-30, 30))
def test_pitch_grows_with_the_nod_of_the_head(one: float, two: float, roll: float) -> None:
    low, high = sorted((one, two))
    pitches = [turn_of(turned(0, pitch, roll))[1] for pitch in (low, high)]
    assert pitches == pytest.approx([low, high], abs=8)
    assert pitches[0] <= pitches[1] + 1e-6


def test_the_mean_face_that_crops_are_aligned_to_looks_ahead() -> None:
    yaw, pitch = turn_of(ALIGNED_LANDMARKS)
    assert abs(yaw) < 5 and abs(pitch) < 15
    assert np.isnan(turn_of(np.zeros((5, 2)))).all()


def test_medians_are_of_the_frames_in_between() -> None:
    values = np.arange(60, dtype=np.float32).reshape(10, 6)
    series = FaceSeries(np.arange(10.0), values)
    found = series.within(np.array([0.0, 2.5, 20.0]), np.array([2.0, 2.9, 30.0]))
    assert found[0].tolist() == values[1].tolist() and np.isnan(found[1:]).all()


def test_real_faces_look_ahead_and_lose_sharpness_when_blurred(shared_data: Path) -> None:
    path = shared_data / "videos" / "bbaf2n.mpg"
    readings = Readings()
    search = readings.face(path, FaceOptions())
    crops = search.cut(Cut(np.arange(0.0, 2.0, 0.2), 112, align=True))
    readings.run()
    assert search.track is not None
    noted = search.quality(search.track)
    assert noted is not None and len(noted.times) == 10
    size, sharpness, light, clipped, yaw, pitch = np.median(noted.values, axis=0)
    assert 120 < size < 180 and 0.1 < sharpness < 0.5 and 0.3 < light < 0.8 and clipped < 0.1
    assert abs(yaw) < 12 and abs(pitch) < 25
    (_, images, present) = next(crops.blocks(search.track))
    assert present.all()
    grey = cv2.resize(cv2.cvtColor(images[0], cv2.COLOR_RGB2GRAY), (48, 48))
    values = [
        sharpness_of(np.asarray(cv2.GaussianBlur(grey, (0, 0), s)) if s else np.asarray(grey))
        for s in (0, 1, 2, 3, 4, 6)
    ]
    assert values == sorted(values, reverse=True) and values[-1] < values[0] / 5
