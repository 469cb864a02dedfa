"""The log-mel front end of VGGish: frames, examples per video frame, and where a tone lies."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.features.vggish_logmel import EXAMPLE, vggish_logmel, vggish_starts
from affuse.verification.parity import Case, check_case, load_fill


@pytest.mark.parametrize("name", ["signal_logmel", "signal_mel64", "signal_mfcc39"])
def test_published_values(parity_cases: Path, name: str) -> None:
    path = parity_cases / f"{name}.json"
    fill = load_fill(parity_cases.parent / "fill.py")
    result = check_case(Case(path, json.loads(path.read_text()), fill, parity_cases))
    assert result.passed, result


def test_parity_notices_another_signal(parity_cases: Path) -> None:
    fill = load_fill(parity_cases.parent / "fill.py")
    for name in ("signal_logmel", "signal_mel64", "signal_mfcc39"):
        path = parity_cases / f"{name}.json"
        content = json.loads(path.read_text())
        (content["items"][0] if "items" in content else content)["seed"] += 1
        result = check_case(Case(path, content, fill, parity_cases))
        assert result.passed is False and not result.note, result


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40000))
def test_frames_are_whole_and_a_second_longer_than_the_sound(length: int) -> None:
    assert vggish_logmel(np.zeros(length, np.float32)).shape == (1 + (length + 15600) // 160, 64)


def test_silence_is_the_logarithm_of_the_offset() -> None:
    np.testing.assert_allclose(vggish_logmel(np.zeros(8000, np.float32)), np.log(0.01), rtol=1e-6)


@pytest.mark.parametrize("hertz", [250, 440, 1000, 3000, 7000])
def test_a_tone_lies_in_its_band(hertz: int) -> None:
    tone = 0.5 * np.sin(2 * np.pi * hertz * np.arange(16000) / 16000)
    low, high, mel = (1127 * np.log1p(f / 700) for f in (125, 7500, hertz))
    band = 65 * (mel - low) / (high - low) - 1  # band k peaks at the edge k + 1 of 0 to 65
    loudest = vggish_logmel(tone.astype(np.float32))[:90].argmax(1)
    assert np.abs(loudest - band).max() <= 1


def test_blocks_do_not_show() -> None:
    sound = np.random.default_rng(0).normal(0, 0.1, 4200 * 160).astype(np.float32)
    whole, tail = vggish_logmel(sound), vggish_logmel(sound[4000 * 160 :])
    np.testing.assert_allclose(whole[4000:], tail, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("fps", "count"), [(30, 301), (25, 251), (23.976, 241), (60, 602)])
def test_examples_of_ten_seconds(fps: float, count: int) -> None:
    frames = len(vggish_logmel(np.zeros(160000, np.float32)))
    starts = vggish_starts(frames, fps)
    assert len(starts) == count
    assert starts[0] == 0 and starts[-1] + EXAMPLE <= frames


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3000), st.floats(5, 120))
def test_every_video_frame_has_its_example_in_time(frames: int, fps: float) -> None:
    starts = vggish_starts(frames, fps)
    assert (len(starts) == 0) == (frames < EXAMPLE)
    assert np.abs(starts - np.arange(len(starts)) * 100 / fps).max(initial=0) <= 0.5 + 1e-6
    assert len(starts) == 0 or starts[-1] <= frames - EXAMPLE + 0.5
