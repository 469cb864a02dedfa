"""Level of sound and its signal-to-noise ratio."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.media.loudness import LoudnessMeter

RATE = 16000


def words(seconds: float = 6.0, seed: int = 0) -> np.ndarray:
    """(N,) a buzz in syllables, with pauses between words."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = np.sin(2 * np.pi * np.cumsum(130 + 40 * np.sin(3 * time)) / RATE) ** 3
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0, None)
    gate = np.repeat(random.random(round(seconds * 2) + 1) > 0.3, RATE // 2)[: len(time)]
    gate[: RATE // 2] = True
    return 0.2 * buzz * syllables * gate


def noisy(samples: np.ndarray, ratio: float, seed: int = 0) -> np.ndarray:
    """With white noise."""
    noise = np.random.default_rng(seed).standard_normal(len(samples))
    return samples + noise * np.sqrt(np.square(samples).mean() / 10 ** (ratio / 10))


def measured(samples: np.ndarray, rate: int = RATE, block: int = 1000) -> tuple[float, float]:
    """Level and ratio of all of it, as it comes in blocks."""
    meter = LoudnessMeter(rate)
    for first in range(0, len(samples), block):
        meter.add(first, samples[first : first + block].astype(np.float32))
    span = np.array([0.0]), np.array([len(samples) / rate])
    loudness = meter.loudness
    return float(loudness.level(*span)[0]), float(loudness.snr(*span)[0])


@pytest.mark.parametrize("ratio", [0, 5, 10, 20, 30])
def test_the_ratio_of_words_in_noise_is_estimated(ratio: float) -> None:
    for seed in range(5):
        assert measured(noisy(words(seed=seed), ratio, seed))[1] == pytest.approx(ratio, abs=1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(-20, 40), st.floats(0.5, 30))
def test_noise_never_raises_the_ratio(seed: int, ratio: float, more: float) -> None:
    samples = words(seed=seed)
    found = [measured(noisy(samples, x, seed))[1] for x in (ratio, ratio - more)]
    assert found[1] <= found[0] + 0.5


@settings(max_examples=30, deadline=None)
@given(st.floats(-40, 0))
def test_a_gain_moves_the_level_and_leaves_the_ratio(gain: float) -> None:
    samples = noisy(words(), 15)
    level, ratio = measured(samples)
    quieter, same = measured(samples * 10 ** (gain / 20))
    assert quieter - level == pytest.approx(gain, abs=0.1)
    assert same == pytest.approx(ratio, abs=0.1)


def test_a_full_sine_is_three_decibels_below_full_scale_whatever_its_offset() -> None:
    sine = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert measured(sine)[0] == pytest.approx(-3, abs=0.1)
    assert measured(0.5 * sine + 0.3)[0] == pytest.approx(-9, abs=0.1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=10))
def test_the_blocks_in_which_sound_comes_do_not_matter(sizes: list[int]) -> None:
    samples = noisy(words(1.0), 10).astype(np.float32)
    whole, parts = LoudnessMeter(RATE), LoudnessMeter(RATE)
    whole.add(300, samples)
    first = 0
    for size in [*sizes, len(samples)]:
        parts.add(300 + first, samples[first : first + size])
        first += size
    np.testing.assert_allclose(parts.loudness.powers, whole.loudness.powers, rtol=1e-6)
    np.testing.assert_array_equal(parts.loudness.times, whole.loudness.times)


def test_a_pause_has_a_low_level_and_the_ratio_of_the_words_around_it() -> None:
    samples = noisy(np.concatenate([words(4.0), np.zeros(2 * RATE), words(4.0, 1)]), 20)
    meter = LoudnessMeter(RATE)
    meter.add(0, samples.astype(np.float32))
    starts, ends = np.array([1.0, 4.2, 50.0]), np.array([3.0, 5.8, 51.0])
    level, ratio = meter.loudness.level(starts, ends), meter.loudness.snr(starts, ends)
    assert level[1] < level[0] - 10
    assert ratio[:2] == pytest.approx([20, 20], abs=2)
    assert np.isnan([level[2], ratio[2]]).all()  # there is no sound


def test_digital_silence_has_no_ratio() -> None:
    level, ratio = measured(np.zeros(RATE))
    assert level == -100 and np.isnan(ratio)


def test_the_ratio_of_real_voices_in_noise_is_estimated(shared_data: Path) -> None:
    paths = sorted((shared_data / "ravdess_speech").glob("Actor_*/*.flac"))[::200]
    if not paths:
        pytest.skip("no voices")
    for path in paths:
        samples, rate = soundfile.read(path)
        for ratio in (0, 5, 10, 20, 30):
            assert measured(noisy(samples, ratio), rate)[1] == pytest.approx(ratio, abs=1.5)
