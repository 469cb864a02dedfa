"""MFCCs with deltas: the columns, the edges, and what does not change them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.features.mfcc39 import mfcc39


def noise(length: int, level: float = 0.05, seed: int = 0) -> np.ndarray:
    """(N,) float32 in 16-bit steps."""
    sound = np.random.default_rng(seed).normal(0, level, length)
    return (np.round(sound * 32768) / 32768).astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 6000))
def test_frames_are_whole(length: int) -> None:
    found = mfcc39(noise(length))
    assert found.shape == (max(0, 1 + (length - 400) // 160), 39) and found.dtype == np.float32
    assert np.isfinite(found).all()


def test_louder_moves_the_zeroth_coefficient_alone() -> None:
    quiet, loud = mfcc39(noise(8000)), mfcc39(2 * noise(8000))
    change = np.zeros(39)
    change[12] = 26 * np.log(4) * np.sqrt(2 / 26)
    np.testing.assert_allclose(loud - quiet, np.tile(change, (len(quiet), 1)), atol=1e-4)


def test_silence_is_zero() -> None:
    np.testing.assert_array_equal(mfcc39(np.zeros(4000, np.float32)), 0)


def test_less_than_half_a_step_of_16_bits_is_not_heard() -> None:
    sound = noise(4000)
    moved = sound + np.random.default_rng(1).uniform(-0.4, 0.4, 4000).astype(np.float32) / 32768
    np.testing.assert_array_equal(mfcc39(moved), mfcc39(sound))


def test_deltas_are_regressions_over_five_frames() -> None:
    found = mfcc39(noise(8000))
    statics, deltas, accelerations = found[:, :13], found[:, 13:26], found[:, 26:]
    t = len(found) // 2
    for values, slopes in ((statics, deltas), (deltas, accelerations)):
        line = np.polyfit(np.arange(-2, 3), values[t - 2 : t + 3], 1)[0]
        np.testing.assert_allclose(slopes[t], line, atol=1e-4)
    first = (statics[1] - statics[0] + 2 * (statics[2] - statics[0])) / 10
    np.testing.assert_allclose(deltas[0], first, atol=1e-4)
    last = (statics[-1] - statics[-2] + 2 * (statics[-1] - statics[-3])) / 10
    np.testing.assert_allclose(deltas[-1], last, atol=1e-4)


def test_blocks_do_not_show() -> None:
    sound = noise(4200 * 160)
    whole, tail = mfcc39(sound), mfcc39(sound[4000 * 160 :])
    np.testing.assert_allclose(whole[4010:], tail[10:], rtol=0, atol=1e-4)
