"""Short-time spectra of sound: mel spectrograms and MFCCs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Padding = Literal["constant", "reflect"]
Scale = Literal["slaney", "htk"]

#: Frames per block, so that the spectra of an hour of sound never lie in memory at once.
BLOCK = 4096


def mel_spectrogram(
    audio: np.ndarray,
    rate: int,
    *,
    n_fft: int,
    hop: int,
    mels: int,
    fmin: float = 0.0,
    fmax: float | None = None,
    padding: Padding = "constant",
    length: int | None = None,
    scale: Scale = "slaney",
) -> np.ndarray:
    """Power mel spectrogram over centred, periodic Hann windows.

    Args:
        audio: (N,) float32 mono.
        rate: Samples per second.
        n_fft: Samples of the transform.
        hop: Samples between frames; frame i is centred at i * hop / rate seconds.
        mels: Number of filters.
        fmin: Lower edge of the first filter in Hz.
        fmax: Upper edge of the last filter in Hz; half the rate by default.
        padding: What lies beyond the ends: zeros, or the reflected signal.
        length: Samples of the window in the middle of the transform; `n_fft` by default.
        scale: See `mel_filters`.

    Returns:
        (1 + N // hop, mels) float32.
    """
    signal = np.asarray(audio, np.float32)
    if padding == "reflect" and len(signal) <= n_fft // 2:
        raise ValueError(f"reflection needs more than {n_fft // 2} samples, got {len(signal)}")
    signal = np.pad(signal, n_fft // 2, mode=padding)
    window = hann_window(length or n_fft, n_fft)
    filters = mel_filters(rate, n_fft, mels, fmin, fmax or rate / 2, scale)
    return np.concatenate(
        [
            (power_spectra(block, window) @ filters.T).astype(np.float32)
            for block in blocks_of(signal, n_fft, hop)
        ]
    )


def hann_window(length: int, size: int) -> np.ndarray:
    """(size,) float32, a periodic Hann window of some samples with zeros on either side."""
    side = size - length
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return np.pad(window.astype(np.float32), (side // 2, side - side // 2))


def blocks_of(signal: np.ndarray, size: int, hop: int) -> Iterator[np.ndarray]:
    """Frames (F, size) of a signal (N,), a block after the other."""
    frames = sliding_window_view(signal, size)[::hop]
    for first in range(0, len(frames), BLOCK):
        yield frames[first : first + BLOCK]


def power_spectra(frames: np.ndarray, window: np.ndarray, size: int | None = None) -> np.ndarray:
    """Squared magnitudes of frames (F, L) under a window (L,).

    In float64: in float32 the last digits differ with how many frames are transformed together.

    Args:
        frames: Of a signal.
        window: What they are multiplied with.
        size: Of the transform, where it is not L: zeros follow.

    Returns:
        (F, size // 2 + 1) float64.
    """
    spectra = np.fft.rfft((frames * window).astype(np.float64), size)
    return np.asarray(np.square(spectra.real) + np.square(spectra.imag))


def mfcc(
    audio: np.ndarray,
    *,
    rate: int = 22050,
    coefficients: int = 10,
    n_fft: int = 2048,
    hop: int = 512,
    mels: int = 128,
    padding: Padding = "constant",
    top_db: float | None = 80.0,
) -> np.ndarray:
    """Mel-frequency cepstral coefficients as librosa computes them by default.

    Args:
        audio: (N,) float32 mono.
        rate: Samples per second.
        coefficients: How many of the first coefficients are kept.
        n_fft: Window length in samples.
        hop: Samples between frames.
        mels: Number of Slaney mel filters.
        padding: `constant` as librosa from 0.9 on, `reflect` as before.
        top_db: Decibels below the loudest value at which the spectrum is cut off; None keeps the
            absolute floor of -100 dB only, so that a frame does not depend on the rest of the
            recording.

    Returns:
        (1 + N // hop, coefficients) float32.

    Source: Chumachenko et al. 2022 use these defaults with 10 coefficients.
    """
    power = mel_spectrogram(audio, rate, n_fft=n_fft, hop=hop, mels=mels, padding=padding)
    levels = decibels(power, top_db).astype(np.float64)  # see `power_spectra`
    return np.asarray((levels @ cosines(coefficients, mels).T).astype(np.float32))


def decibels(power: np.ndarray, top_db: float | None) -> np.ndarray:
    """Power as 10 log10 of it, not below -100 dB.

    Args:
        power: Of any shape.
        top_db: Decibels below the loudest value at which it is cut off, or None.
    """
    levels = 10 * np.log10(np.maximum(power, 1e-10))
    return levels if top_db is None else np.maximum(levels, levels.max() - top_db)


@lru_cache(maxsize=8)
def mel_filters(
    rate: int, n_fft: int, mels: int, fmin: float, fmax: float, scale: Scale = "slaney"
) -> np.ndarray:
    """Triangular filters whose edges are equally spaced on a mel scale.

    Args:
        rate: Samples per second.
        n_fft: Samples of the transform.
        mels: Number of filters.
        fmin: Lower edge of the first filter in Hz.
        fmax: Upper edge of the last filter in Hz.
        scale: `slaney` (linear below 1 kHz, logarithmic above; filters of unit area) or `htk`
            (2595 log10(1 + f / 700); filters of unit height).

    Returns:
        (mels, n_fft // 2 + 1) float32.

    Source: Slaney, Auditory Toolbox, 1998; Young et al., The HTK Book, 2002.
    """
    if scale == "slaney":
        knee = math.log(6.4) / 27.0  # mels of the first kHz: 15, then 27 for a factor of 6.4
        low, high = (
            15 * f / 1000 if f < 1000 else 15 + math.log(f / 1000) / knee for f in (fmin, fmax)
        )
        mel = np.linspace(low, high, mels + 2)
        edges = np.where(mel < 15, mel * 1000 / 15, 1000 * np.exp(knee * np.maximum(mel - 15, 0)))
    else:
        low, high = (2595 * math.log10(1 + f / 700) for f in (fmin, fmax))
        edges = 700 * (10 ** (np.linspace(low, high, mels + 2) / 2595) - 1)
    filters = _triangles(np.linspace(0, rate / 2, n_fft // 2 + 1), edges)
    if scale == "slaney":
        filters *= 2.0 / (edges[2:] - edges[:-2])[:, None]
    return filters.astype(np.float32)


@lru_cache(maxsize=8)
def mel_shaped_filters(rate: int, n_fft: int, mels: int, fmin: float, fmax: float) -> np.ndarray:
    """Filters of unit height that are triangles over HTK mels, not over Hz; without the DC bin.

    Args:
        rate: Samples per second.
        n_fft: Samples of the transform.
        mels: Number of filters.
        fmin: Lower edge of the first filter in Hz.
        fmax: Upper edge of the last filter in Hz.

    Returns:
        (mels, n_fft // 2 + 1) float64.

    Source: Young et al., The HTK Book, 2002.
    """
    bins = np.log1p(np.linspace(0, rate / 2, n_fft // 2 + 1) / 700)
    edges = np.linspace(math.log1p(fmin / 700), math.log1p(fmax / 700), mels + 2)
    filters = _triangles(bins, edges)
    filters[:, 0] = 0
    return filters


def _triangles(bins: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Triangles of unit height between every third edge, (edges - 2, bins)."""
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rise, fall), 0, None)


@lru_cache(maxsize=8)
def cosines(coefficients: int, mels: int) -> np.ndarray:
    """First rows of the orthonormal DCT-II, (coefficients, mels) float32."""
    k = np.arange(coefficients)[:, None]
    matrix = np.cos(np.pi * k * (2 * np.arange(mels) + 1) / (2 * mels)) * np.sqrt(2.0 / mels)
    matrix[0] /= np.sqrt(2.0)
    return np.asarray(matrix, np.float32)
