"""The mel spectrum of TSAV beside librosa, and what it does with short clips and silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.features.tsav_mel import SHORTEST, tsav_mel, tsav_normalised


def test_real_speech_equals_librosa(shared_data: Path) -> None:
    librosa = pytest.importorskip("librosa")
    path = shared_data / "ravdess_speech" / "Actor_01" / "03-01-05-02-01-01-01.flac"
    audio, _ = librosa.load(path, sr=44100)
    power = librosa.feature.melspectrogram(
        y=audio,
        sr=44100,
        n_fft=1024,
        win_length=882,
        hop_length=441,
        n_mels=64,
        htk=True,
        norm=None,
        pad_mode="reflect",
    )
    theirs = librosa.power_to_db(power, amin=1e-10, top_db=80).T
    ours = tsav_mel(audio)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    assert theirs.min() == pytest.approx(theirs.max() - 80) and (theirs > theirs.min()).mean() > 0.2
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=0.01)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 60000))
def test_a_short_clip_is_filled_up_in_front(length: int) -> None:
    sound = np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)
    levels = tsav_mel(sound)
    assert levels.shape == (max(104, 1 + length // 441), 64)
    silent = max(0, SHORTEST - length) // 441 - 2
    if silent > 0 and length:
        floor = max(-100.0, levels.max() - 80)
        np.testing.assert_allclose(levels[:silent], floor, rtol=1e-5)


def test_normalised_silence_is_the_lowest_value_there_is() -> None:
    silence = tsav_normalised(tsav_mel(np.zeros(1000, np.float32)))
    np.testing.assert_allclose(silence, (-100 + 14.8) / 19.895, rtol=1e-6)
    assert silence.dtype == np.float32
