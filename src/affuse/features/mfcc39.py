"""MFCCs with deltas and accelerations as openSMILE's MFCC12_0_D_A computes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from affuse.features.spectral import BLOCK, cosines, mel_shaped_filters

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
    frames = torch.from_numpy(samples).unfold(0, _FRAME, _HOP)
    statics = torch.cat([_cepstra(block) for block in frames.split(BLOCK)])
    # Before the first frame the published tool repeats deltas, after the last one statics.
    around = torch.arange(-2, len(statics) + 4).clamp(0, len(statics) - 1)
    deltas = _slopes(statics[around])
    accelerations = _slopes(torch.cat([deltas[:1], deltas[:1], deltas]))
    return torch.cat([statics, deltas[:-2], accelerations], 1).float().numpy()


def _cepstra(frames: Tensor) -> Tensor:
    """Frames (F, 400) float64 in 16-bit steps to c1..c12, c0 (F, 13)."""
    before = torch.cat([frames[:, :1], frames[:, :-1]], 1)
    window = torch.hamming_window(_FRAME, periodic=False, dtype=torch.float64)
    power = torch.fft.rfft((frames - 0.97 * before) * window, 512).abs().square()
    levels = (power @ mel_shaped_filters(RATE, 512, 26, 0.0, RATE / 2).T).clamp_min(1.0).log()
    lifter = 1 + 11 * torch.sin(torch.pi * torch.arange(13, dtype=torch.float64) / 22)
    lifter[0] = 2**0.5  # c0 is not scaled down as in an orthonormal transform
    return (levels @ (cosines(13, 26).double().T * lifter)).roll(-1, 1)


def _slopes(x: Tensor) -> Tensor:
    """Regression over five rows, (T, D) to (T - 4, D)."""
    return (x[3:-1] - x[1:-3] + 2 * (x[4:] - x[:-4])) / 10
