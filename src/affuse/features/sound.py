"""Streams computed from the sound of a clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.features.extractor import check_length
from affuse.features.stream import Stream, StreamSpec

_MFCC = {"rate": 22050, "coefficients": 10, "n_fft": 2048, "hop": 512, "mels": 128}
_LOGMEL: dict[str, Any] = {
    "rate": 16000,
    "n_fft": 1024,
    "length": 640,
    "hop": 320,
    "fmin": 50.0,
    "fmax": 8000.0,
    "scale": "htk",
}


class SoundExtractor:
    """What all streams of sound share."""

    def sources(self, clip: Clip) -> list[Path]:
        """The file with the sound."""
        return [] if clip.audio is None else [clip.audio]


class Mfcc(SoundExtractor):
    """`audio/mfcc10`: ten MFCCs of the whole clip, at 43.07 Hz.

    A frame depends on its own 93 ms of sound only (no floor relative to the loudest frame), so a
    window cut from a long recording equals the same window of a short clip.
    """

    def __init__(self) -> None:
        recipe = {"extractor": "mfcc", **_MFCC, "padding": "constant", "top_db": None}
        self.spec = StreamSpec("audio/mfcc10", 22050 / 512, (10,), recipe=recipe)

    def extract(self, clip: Clip) -> Stream | None:
        """(1 + N // 512, 10) float32."""
        from affuse.features.spectral import mfcc

        audio = read_sound(clip, 22050)
        return None if audio is None else all_present(mfcc(audio, padding="constant", top_db=None))


class ReferenceMfcc(SoundExtractor):
    """`audio/mfcc10-reference`: the published audio preprocessing, 156 frames of 3.6 s.

    Sound is cut in the middle or padded with zeros at the end, quantised to 16 bits, and turned
    into ten MFCCs with a floor 80 dB below the loudest value.

    Args:
        padding: `reflect` as in librosa 0.8.1, which the published code pins; `constant` as in
            every librosa from 0.9 on.

    Source: Chumachenko et al. 2022, released preprocessing. A clip of exactly 3.6 s, which that
    code turns into an empty file, is kept as it is.
    """

    def __init__(self, padding: str = "reflect") -> None:
        name = "audio/mfcc10-reference" + ("-constant" if padding == "constant" else "")
        recipe = {
            "extractor": "reference mfcc",
            **_MFCC,
            "padding": padding,
            "top_db": 80.0,
            "samples": 79380,
            "crop": "centre",
            "quantised": "16 bit",
        }
        self.spec = StreamSpec(name, 22050 / 512, (10,), recipe=recipe, span=3.6)

    def extract(self, clip: Clip) -> Stream | None:
        """(156, 10) float32, every frame present."""
        from affuse.features.spectral import mfcc

        audio = read_sound(clip, 22050)
        if audio is None:
            return None
        surplus = len(audio) - 79380
        audio = audio[surplus // 2 :][:79380] if surplus > 0 else np.pad(audio, (0, -surplus))
        audio = (np.clip(np.round(audio * 32768), -32768, 32767) / 32768).astype(np.float32)
        return all_present(mfcc(audio, padding=self.spec.recipe["padding"], top_db=80.0))


class LogMel(SoundExtractor):
    """`audio/logmel<mels>-16k`: log-mel spectrum of the whole clip, 50 Hz.

    Natural logarithm of the power in HTK mel bands from 50 to 8000 Hz, over 40 ms at 16 kHz.

    Args:
        mels: Number of mel bands.
    """

    def __init__(self, mels: int = 64) -> None:
        recipe: dict[str, Any] = {"extractor": "logmel", **_LOGMEL, "mels": mels, "floor": 1e-4}
        self.spec = StreamSpec(f"audio/logmel{mels}-16k", 50.0, (mels,), recipe=recipe)

    def extract(self, clip: Clip) -> Stream | None:
        """(1 + N // 320, mels) float32."""
        from affuse.features.spectral import mel_spectrogram

        audio = read_sound(clip, 16000)
        if audio is None:
            return None
        power = mel_spectrogram(audio, mels=self.spec.shape[0], **_LOGMEL)
        return all_present(power.clamp_min(self.spec.recipe["floor"]).log().numpy())


class Mfcc39(SoundExtractor):
    """`audio/mfcc39`: 12 MFCCs and the zeroth with deltas and accelerations, at 100 Hz.

    Frames are 25 ms of 16 kHz sound and begin at their time (they are not centred on it).
    """

    def __init__(self) -> None:
        recipe = {"extractor": "openSMILE MFCC12_0_D_A", "rate": 16000, "quantised": "16 bit"}
        self.spec = StreamSpec("audio/mfcc39", 100.0, (39,), recipe=recipe)

    def extract(self, clip: Clip) -> Stream | None:
        """(1 + (N - 400) // 160, 39) float32."""
        from affuse.features.mfcc39 import mfcc39

        audio = read_sound(clip, 16000)
        return None if audio is None else all_present(mfcc39(audio))


def read_sound(clip: Clip, rate: int) -> np.ndarray | None:
    """Mono sound of a clip at a rate in Hz, (N,) float32, or None without sound.

    Raises:
        BadInput: The sound cannot be decoded, or is too short.
    """
    from affuse.media.audio import read_audio

    if clip.audio is None:
        return None
    audio = read_audio(clip.audio, rate, start=clip.start, end=clip.end)
    if audio is not None:
        check_length(clip.audio, len(audio) / rate)
    return audio


def all_present(values: np.ndarray) -> Stream:
    """A stream in which nothing is absent."""
    return Stream(values, np.ones(len(values), bool))
