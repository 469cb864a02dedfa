"""How loud sound is over time."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.features.level import RATE, Level


def test_a_sine_is_3_dB_below_full_scale_and_silence_is_100_below() -> None:
    times = np.arange(RATE) / RATE
    sound = np.concatenate([np.sin(2 * np.pi * 440 * times), np.zeros(RATE)]).astype(np.float32)
    rows = Level().rows(sound + np.float32(0.01))
    assert rows.shape == (40, 1) and rows.dtype == np.float32
    assert rows[:20, 0] == pytest.approx(-3.01, abs=0.05)
    assert rows[21:, 0] == pytest.approx(-100)


def test_noise_hides_the_pauses() -> None:
    random = np.random.default_rng(0)
    voice = np.repeat(random.random(40) > 0.5, 800) * random.standard_normal(32_000) * 0.1
    quiet = Level().rows(voice.astype(np.float32))
    noisy = Level().rows((voice + 0.05 * random.standard_normal(32_000)).astype(np.float32))
    assert np.ptp(noisy) == pytest.approx(10 * np.log10((0.1**2 + 0.05**2) / 0.05**2), abs=2)
    assert np.ptp(quiet) > 70
