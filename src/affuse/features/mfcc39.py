"""MFCCs with deltas and accelerations as openSMILE's MFCC12_0_D_A computes them."""

from __future__ import annotations

import numpy as np

from affuse.features.spectral import blocks_of, cosines, mel_shaped_filters, power_spectra

RATE = 16000
_FRAME, _HOP = 400, 160
#: Rows after its own that a row is about: two for its deltas, and two more for their deltas.
AHEAD = 4


def mfcc39(audio: np.ndarray) -> np.ndarray:
    """12 MFCCs and the zeroth, their deltas and their accelerations, every 10 ms.

    Args:
        audio: (N,) float32 mono at 16 kHz; rounded to 16 bits, as the published tool reads it.

    Returns:
        (1 + (N - 400) // 160, 39) float32, columns c1..c12, c0, then their deltas, then their
        accelerations; no rows when N < 400. Row i is about the 25 ms from 0.01 i seconds on.

    Source: Young et al., The HTK Book, 2002, with the settings and the edges of openSMILE's
    MFCC12_0_D_A.
    """
    if len(audio) < _FRAME:
        return np.zeros((0, 39), np.float32)
    samples = np.clip(np.round(np.asarray(audio, np.float64) * 32768), -32768, 32767)
    statics = np.concatenate([_cepstra(block) for block in blocks_of(samples, _FRAME, _HOP)])
    # Before the first frame the published tool repeats deltas, after the last one statics.
    around = np.arange(-2, len(statics) + 4).clip(0, len(statics) - 1)
    deltas = _slopes(statics[around])
    accelerations = _slopes(np.concatenate([deltas[:1], deltas[:1], deltas]))
    return np.concatenate([statics, deltas[:-2], accelerations], 1).astype(np.float32)


def _cepstra(frames: np.ndarray) -> np.ndarray:
    """Frames (F, 400) float64 in 16-bit steps to c1..c12, c0 (F, 13)."""
    before = np.concatenate([frames[:, :1], frames[:, :-1]], 1)
    power = power_spectra(frames - 0.97 * before, np.hamming(_FRAME), 512)
    levels = np.log(np.maximum(power @ mel_shaped_filters(RATE, 512, 26, 0.0, RATE / 2).T, 1))
    lifter = 1 + 11 * np.sin(np.pi * np.arange(13) / 22)
    lifter[0] = 2**0.5  # c0 is not scaled down as in an orthonormal transform
    return np.roll(levels @ (cosines(13, 26).T.astype(np.float64) * lifter), -1, 1)


def _slopes(x: np.ndarray) -> np.ndarray:
    """Regression over five rows, (T, D) to (T - 4, D)."""
    return np.asarray((x[3:-1] - x[1:-3] + 2 * (x[4:] - x[:-4])) / 10)
