"""eGeMAPS through openSMILE, and our own MFCCs beside those of openSMILE."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError
from affuse.features import opensmile as ours
from affuse.features.catalogue import create_extractor
from affuse.features.mfcc39 import mfcc39
from affuse.features.stream import Stream

#: The chain of MFCC12_0_D_A, in a form that the package can run.
CHAIN = """
[componentInstances:cComponentManager]
instance[dataMemory].type = cDataMemory
\\{\\cm[source{?}:sound]}
[componentInstances:cComponentManager]
instance[frame].type = cFramer
instance[emphasis].type = cVectorPreemphasis
instance[window].type = cWindower
instance[fft].type = cTransformFFT
instance[magnitude].type = cFFTmagphase
instance[mel].type = cMelspec
instance[mfcc].type = cMfcc
instance[slopes].type = cDeltaRegression
instance[accelerations].type = cDeltaRegression
instance[all].type = cVectorConcat
[frame:cFramer]
reader.dmLevel = wave
writer.dmLevel = frames
frameSize = 0.025
frameStep = 0.010
frameCenterSpecial = left
[emphasis:cVectorPreemphasis]
reader.dmLevel = frames
writer.dmLevel = emphasised
k = 0.97
de = 0
[window:cWindower]
reader.dmLevel = emphasised
writer.dmLevel = windowed
winFunc = ham
gain = 1.0
[fft:cTransformFFT]
reader.dmLevel = windowed
writer.dmLevel = spectrum
zeroPadSymmetric = 0
[magnitude:cFFTmagphase]
reader.dmLevel = spectrum
writer.dmLevel = magnitudes
[mel:cMelspec]
reader.dmLevel = magnitudes
writer.dmLevel = mels
htkcompatible = 1
nBands = 26
usePower = 1
lofreq = 0
hifreq = 8000
specScale = mel
[mfcc:cMfcc]
reader.dmLevel = mels
writer.dmLevel = statics
firstMfcc = 0
lastMfcc = 12
cepLifter = 22.0
htkcompatible = 1
[slopes:cDeltaRegression]
reader.dmLevel = statics
writer.dmLevel = deltas
deltawin = 2
[accelerations:cDeltaRegression]
reader.dmLevel = deltas
writer.dmLevel = second
deltawin = 2
[all:cVectorConcat]
reader.dmLevel = statics;deltas;second
writer.dmLevel = lld
\\{\\cm[sink{?}:values]}
"""


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    """150 Hz with overtones and some noise, (N,) float32 in 16-bit steps."""
    time = np.arange(int(seconds * 16000)) / 16000
    tone = sum(np.sin(2 * np.pi * 150 * k * time) / k for k in range(1, 12))
    sound = 0.1 * tone + np.random.default_rng(seed).normal(0, 0.002, len(time))
    return (np.round(sound * 32768) / 32768).astype(np.float32)


def test_without_opensmile_the_message_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    ours._smile.cache_clear()
    with pytest.raises(AffuseError, match=r'pip install "affuse\[opensmile\]"'):
        create_extractor("audio/egemaps")


@pytest.fixture
def opensmile() -> Any:
    return pytest.importorskip("opensmile", reason="the extra opensmile is not installed")


@pytest.fixture
def egemaps(opensmile: Any, tmp_path: Path) -> Callable[[np.ndarray], Stream]:
    soundfile = pytest.importorskip("soundfile")

    def extract(sound: np.ndarray) -> Stream:
        soundfile.write(tmp_path / "a.wav", sound, 16000, "PCM_16")
        extractor = pickle.loads(pickle.dumps(create_extractor("audio/egemaps")))
        stream = extractor.extract(Clip("a", audio=tmp_path / "a.wav"))
        assert stream.values.dtype == np.float32 and np.isfinite(stream.values).all()
        assert stream.mask.all()
        return stream

    return extract


@pytest.mark.parametrize("sound", [voice(3.0), voice(1.0)[::-1] * 3, voice(2.0) * 0.001])
def test_our_mfccs_are_those_of_opensmile(
    opensmile: Any, tmp_path: Path, sound: np.ndarray
) -> None:
    sound = (np.round(sound * 32768) / 32768).astype(np.float32)
    (tmp_path / "chain.conf").write_text(CHAIN)
    smile = opensmile.Smile(feature_set=str(tmp_path / "chain.conf"), feature_level="lld")
    theirs = smile.process_signal(sound, 16000).to_numpy()
    found = mfcc39(sound)
    assert found.shape == theirs.shape and theirs.std() > 1
    np.testing.assert_allclose(found, theirs, rtol=0, atol=1e-3)


def test_real_speech_has_the_mfccs_of_opensmile(
    opensmile: Any, tmp_path: Path, shared_data: Path
) -> None:
    soundfile = pytest.importorskip("soundfile")
    path = shared_data / "ravdess_speech" / "Actor_01" / "03-01-05-02-01-01-01.flac"
    sound, rate = soundfile.read(path, dtype="float32")
    assert rate == 16000
    (tmp_path / "chain.conf").write_text(CHAIN)
    smile = opensmile.Smile(feature_set=str(tmp_path / "chain.conf"), feature_level="lld")
    theirs = smile.process_signal(sound, 16000).to_numpy()
    np.testing.assert_allclose(mfcc39(sound), theirs, rtol=0, atol=2e-3)


def test_what_the_stream_is(egemaps: Callable[[np.ndarray], Stream]) -> None:
    spec, stream = create_extractor("audio/egemaps").spec, egemaps(voice(10.0))
    assert (spec.name, spec.rate, spec.shape) == ("audio/egemaps", 100.0, (23,))
    assert stream.values.shape == (996, 23)
    assert len(spec.recipe["columns"]) == 23 and "research only" in spec.recipe["licence"]
    pitch = stream.values[100:900, spec.recipe["columns"].index("F0semitoneFrom27.5Hz_sma3nz")]
    np.testing.assert_allclose(pitch, 12 * np.log2(150 / 27.5), atol=0.2)
    assert create_extractor("audio/egemaps").extract(Clip("x")) is None


@pytest.mark.parametrize("column", ["Loudness_sma3", "F0semitoneFrom27.5Hz_sma3nz"])
def test_a_tone_is_heard_at_its_time(egemaps: Callable[[np.ndarray], Stream], column: str) -> None:
    sound = voice(3.0)
    sound[: int(1.1 * 16000)] = sound[int(1.7 * 16000) :] = 0
    stream = egemaps(sound)
    values = stream.values[
        :, create_extractor("audio/egemaps").spec.recipe["columns"].index(column)
    ]
    heard = np.flatnonzero(values > values.max() / 2) / 100 + stream.start
    assert (heard[0] + heard[-1]) / 2 == pytest.approx(1.4, abs=0.016)


def test_full_scale_is_not_turned_into_its_negative(
    egemaps: Callable[[np.ndarray], Stream],
) -> None:
    loudness = 0
    sound = np.sign(voice(2.0))
    full, less = egemaps(sound).values[:, loudness], egemaps(0.999 * sound).values[:, loudness]
    np.testing.assert_allclose(full, less, rtol=0.01)


def test_silence_has_no_voice(egemaps: Callable[[np.ndarray], Stream]) -> None:
    values = egemaps(np.zeros(16000, np.float32)).values
    pitch = (
        create_extractor("audio/egemaps")
        .spec.recipe["columns"]
        .index("F0semitoneFrom27.5Hz_sma3nz")
    )
    assert (values[:, pitch] == 0).all()
