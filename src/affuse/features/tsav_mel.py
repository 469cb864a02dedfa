"""The mel spectrum that TSAV and the joint attention models after it hear."""

from __future__ import annotations

import numpy as np

from affuse.features.spectral import decibels, mel_spectrogram

RATE = 44100
#: Samples up to which a clip is filled with silence in front: 104 frames.
SHORTEST = 45599


def tsav_mel(audio: np.ndarray) -> np.ndarray:
    """Mel spectrum in decibels: 64 HTK bands up to 22,050 Hz, 20 ms windows every 10 ms.

    Args:
        audio: (N,) float32 mono at 44.1 kHz, the sound of one clip.

    Returns:
        (max(104, 1 + N // 441), 64) float32 dB, cut off 80 dB below the loudest value.

    Source: Kuhnke et al. 2020 (TSAV), released code.
    """
    return tsav_levels(np.pad(audio, (max(0, SHORTEST - len(audio)), 0)), 80.0)


def tsav_levels(audio: np.ndarray, top_db: float | None) -> np.ndarray:
    """The same of sound of any length, as it is.

    Args:
        audio: (N,) float32 mono at 44.1 kHz, more than 512 samples.
        top_db: Decibels below the loudest value at which it is cut off; None for -100 dB only.

    Returns:
        (1 + N // 441, 64) float32 dB, row i about the 20 ms around i / 100 s.
    """
    power = mel_spectrogram(
        audio, RATE, n_fft=1024, length=882, hop=441, mels=64, scale="htk", padding="reflect"
    )
    return decibels(power, top_db)


def tsav_normalised(levels: np.ndarray) -> np.ndarray:
    """Decibels as the network takes them; the constants are those of its training data."""
    return ((levels + 14.8) / 19.895).astype(np.float32)
