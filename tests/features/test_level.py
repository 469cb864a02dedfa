"""How loud sound is over time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.features.level import RATE, Level, Loud
from affuse.features.sections import Sections


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


def speech(pauses: np.ndarray, seed: int = 0) -> np.ndarray:
    """A voice of many levels, 35 dB lower where it pauses, a block of 50 ms each; float32."""
    random = np.random.default_rng(seed)
    level = np.where(pauses, 0.001, random.uniform(0.05, 0.1, len(pauses)))
    return (np.repeat(level, 800) * random.standard_normal(800 * len(pauses))).astype(np.float32)


@settings(deadline=None, max_examples=20)
@given(gain=st.floats(0.01, 5), pauses=st.lists(st.booleans(), min_size=10, max_size=60))
def test_pauses_are_found_at_any_gain(gain: float, pauses: list[bool]) -> None:
    there = np.array([False, *pauses])  # somebody speaks
    rows = Loud().rows(speech(there) * np.float32(gain))
    assert rows.dtype == np.float32
    assert np.array_equal(rows[:, 0], np.where(there, -1, 1))


def test_a_loud_sentence_hides_no_quiet_one_far_from_it() -> None:
    loud, quiet = speech(np.zeros(40, bool)), speech(np.zeros(60, bool)) * np.float32(0.005)
    clip, extractor = np.concatenate([loud, quiet]), Loud()
    sections = Sections(
        extractor.rows, extractor.spec, extractor.hop, extractor.context, extractor.section
    )
    sections.push(clip)
    sections.finish()
    rows = sections.taken()[:, 0]
    assert (rows[:40] == 1).all() and (rows[80:] == 1).all()
    assert (rows[40:60] == -1).all(), "the second beside it"


def test_silence_has_no_pauses() -> None:
    assert (Loud().rows(np.zeros(RATE, np.float32)) == 1).all()
