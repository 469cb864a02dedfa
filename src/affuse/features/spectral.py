"""Short-time spectra of sound: mel spectrograms and MFCCs in torch."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

Padding = Literal["constant", "reflect"]

#: Frames per block, so that the spectra of an hour of sound never lie in memory at once.
_BLOCK = 4096


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
) -> Tensor:
    """Power mel spectrogram over centred, periodic Hann windows, with Slaney filters.

    Args:
        audio: (N,) float32 mono.
        rate: Samples per second.
        n_fft: Window length in samples.
        hop: Samples between frames; frame i is centred at i * hop / rate seconds.
        mels: Number of filters, of equal area.
        fmin: Lower edge of the first filter in Hz.
        fmax: Upper edge of the last filter in Hz; half the rate by default.
        padding: What lies beyond the ends: zeros, or the reflected signal.

    Returns:
        (1 + N // hop, mels) float32.
    """
    signal = torch.from_numpy(np.ascontiguousarray(audio, dtype=np.float32))
    if padding == "reflect" and len(signal) <= n_fft // 2:
        raise ValueError(f"reflection needs more than {n_fft // 2} samples, got {len(signal)}")
    signal = pad(signal[None], (n_fft // 2, n_fft // 2), mode=padding)[0]
    window = torch.hann_window(n_fft)
    filters = mel_filters(rate, n_fft, mels, fmin, fmax or rate / 2)
    frames = signal.unfold(0, n_fft, hop)
    blocks = [
        torch.fft.rfft(block * window).abs().square() @ filters.T for block in frames.split(_BLOCK)
    ]
    return torch.cat(blocks)


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
    decibels = 10.0 * torch.log10(power.clamp_min(1e-10))
    if top_db is not None:
        decibels = decibels.clamp_min(float(decibels.max()) - top_db)
    return (decibels @ _cosines(coefficients, mels).T).numpy()


@lru_cache(maxsize=8)
def mel_filters(rate: int, n_fft: int, mels: int, fmin: float, fmax: float) -> Tensor:
    """Triangular filters on Slaney's mel scale, each of unit area.

    Returns:
        (mels, n_fft // 2 + 1) float32.

    Source: Slaney, Auditory Toolbox, 1998: linear below 1 kHz, logarithmic above.
    """
    step, knee, growth = 200.0 / 3.0, 1000.0, math.log(6.4) / 27.0

    def to_mel(hertz: float) -> float:
        return hertz / step if hertz < knee else knee / step + math.log(hertz / knee) / growth

    mel = np.linspace(to_mel(fmin), to_mel(fmax), mels + 2)
    edges = np.where(
        mel < knee / step, mel * step, knee * np.exp(growth * (np.maximum(mel - knee / step, 0)))
    )
    bins = np.linspace(0, rate / 2, n_fft // 2 + 1)
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    area = 2.0 / (edges[2:] - edges[:-2])[:, None]
    return torch.from_numpy((np.clip(np.minimum(rise, fall), 0, None) * area).astype(np.float32))


@lru_cache(maxsize=8)
def _cosines(coefficients: int, mels: int) -> Tensor:
    """First rows of the orthonormal DCT-II, (coefficients, mels) float32."""
    k = np.arange(coefficients)[:, None]
    matrix = np.cos(np.pi * k * (2 * np.arange(mels) + 1) / (2 * mels)) * np.sqrt(2.0 / mels)
    matrix[0] /= np.sqrt(2.0)
    return torch.from_numpy(matrix.astype(np.float32))
