from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.features.spectral import mel_filters, mel_spectrogram, mfcc

librosa = pytest.importorskip("librosa")
soundfile = pytest.importorskip("soundfile")


@pytest.mark.parametrize("padding", ["constant", "reflect"])
def test_mfcc_equals_librosa_on_real_speech(shared_data: Path, padding: str) -> None:
    path = shared_data / "ravdess_speech" / "Actor_01" / "03-01-05-02-01-01-01.flac"
    audio, rate = soundfile.read(path, dtype="float32")
    audio = librosa.resample(audio, orig_sr=rate, target_sr=22050)
    theirs = librosa.feature.mfcc(y=audio, sr=22050, n_mfcc=10, pad_mode=padding).T
    ours = mfcc(audio, padding=padding)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize(("rate", "n_fft", "mels"), [(16000, 512, 64), (22050, 2048, 128)])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_filters_equal_librosa(rate: int, n_fft: int, mels: int, scale: str) -> None:
    kind = {"htk": True, "norm": None} if scale == "htk" else {}
    theirs = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=mels, fmin=50, fmax=rate / 2, **kind)
    ours = mel_filters(rate, n_fft, mels, 50.0, rate / 2, scale)
    assert np.abs(ours - theirs).max() <= 1e-6 * theirs.max()


def test_frame_times_are_centred() -> None:
    audio = np.zeros(16000, np.float32)
    audio[8000] = 1.0
    power = mel_spectrogram(audio, 16000, n_fft=512, hop=160, mels=40).sum(1)
    assert int(power.argmax()) == 50


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 30000))
def test_the_number_of_frames_is_one_more_than_the_hops(length: int) -> None:
    assert len(mfcc(np.zeros(length, np.float32))) == 1 + length // 512


def test_blocks_do_not_show() -> None:
    audio = np.random.default_rng(0).standard_normal(4200 * 512).astype(np.float32)
    whole = mfcc(audio, top_db=None)
    tail = mfcc(audio[4000 * 512 :], top_db=None)
    np.testing.assert_allclose(whole[4010:-3], tail[10:-3], rtol=1e-4, atol=1e-3)


def test_reflection_needs_enough_samples() -> None:
    with pytest.raises(ValueError, match="1024"):
        mfcc(np.zeros(1000, np.float32), padding="reflect")
