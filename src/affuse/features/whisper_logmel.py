"""The log-mel spectrogram that Whisper reads."""

from __future__ import annotations

import numpy as np

from affuse.features.spectral import mel_spectrogram

RATE, HOP = 16000, 160
#: Frames of the 30 s that the network was trained on.
FRAMES = 3000
#: Powers of ten below the loudest value at which the spectrogram is cut off.
RANGE = 8.0


def whisper_logmel(audio: np.ndarray, mels: int = 80) -> np.ndarray:
    """Spectrogram of a piece of sound.

    The loudest value of the piece decides what is cut off, so a frame depends on all of it.

    Args:
        audio: (N,) float32 mono at 16 kHz, more than 200 samples.
        mels: Bands: 80, or 128 of the third large network.

    Returns:
        (N // 160, mels) float32.

    Source: Radford et al. 2022, released code.
    """
    power = mel_spectrogram(audio, RATE, n_fft=400, hop=HOP, mels=mels, padding="reflect")
    levels = np.log10(np.maximum(power[: len(audio) // HOP], 1e-10))
    return np.asarray((np.maximum(levels, levels.max() - RANGE) + 4) / 4)
