"""Sound without a band of frequencies."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.media.band_stop import Band, BandStop

RATE = 16000


def without(band: Band, sound: np.ndarray, cuts: list[int], rate: int = RATE) -> np.ndarray:
    """A sound without a band, pushed in parts."""
    stop = BandStop(band, rate)
    edges = sorted({0, len(sound), *(cut for cut in cuts if cut < len(sound))})
    parts = [stop.push(sound[a:b]) for a, b in pairwise(edges)]
    return np.concatenate([*parts, stop.finish()])


def tone(frequency: float, seconds: float = 1.0, rate: int = RATE) -> np.ndarray:
    times = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * frequency * times).astype(np.float32)


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
@pytest.mark.parametrize(
    ("band", "gone", "kept"),
    [
        (Band(0, 260), [0, 100, 200], [330, 1000, 7000]),
        (Band(1100, 1770), [1200, 1650], [100, 1000, 1900, 7000]),
        (Band(5660, math.inf), [5750, 7000, 7900], [100, 1000, 5570]),
    ],
)
def test_the_band_is_gone_and_the_rest_stays_where_it_was(
    band: Band, gone: list[float], kept: list[float], rate: int
) -> None:
    inside = slice(rate // 10, -rate // 10)
    for frequency in gone:
        sound = tone(frequency + 0.01, rate=rate) if frequency else np.ones(rate, np.float32)
        assert np.abs(without(band, sound, [], rate)[inside]).max() < 0.01
    for frequency in kept:
        sound = tone(frequency, rate=rate)
        np.testing.assert_allclose(without(band, sound, [], rate)[inside], sound[inside], atol=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 5000), st.lists(st.integers(0, 5000), max_size=6))
def test_parts_of_a_sound_give_what_the_whole_gives(length: int, cuts: list[int]) -> None:
    sound = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
    band = Band(615, 1100)
    parts, whole = without(band, sound, cuts), without(band, sound, [])
    assert parts.dtype == np.float32 and parts.shape == sound.shape
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_a_band_that_the_sound_cannot_have_takes_nothing() -> None:
    sound = tone(1000, rate=8000)
    found = without(Band(5660, math.inf), sound, [3000], 8000)
    np.testing.assert_allclose(found, sound, atol=1e-6)
