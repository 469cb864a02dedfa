"""Sound without a band of frequencies, part by part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.signal import firwin, oaconvolve

from affuse.media.channels import Samples

#: Seconds of sound that a sample depends on, half before and half after it.
_REACH = 0.064


@dataclass(frozen=True)
class Band:
    """Frequencies from `low` up to `high` in Hz; `high` may be infinite."""

    low: float
    high: float

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"above {self.low:.0f} Hz"
        return f"{self.low:.0f}-{self.high:.0f} Hz"


class BandStop:
    """Takes a band out of a sound without moving the rest in time (linear phase).

    What comes out does not depend on how the sound is cut into parts, but for rounding.

    Args:
        band: What is taken out.
        rate: Of the sound in Hz; a band above half of it takes nothing away.
    """

    def __init__(self, band: Band, rate: int) -> None:
        self._half = round(_REACH / 2 * rate)
        self._taps = _taps(band, rate, 2 * self._half + 1)
        self._held: Samples = np.zeros(self._half, np.float32)
        self._empty = True

    def push(self, samples: Samples) -> Samples:
        """Consecutive samples (N,) float32 -> those that can be known by now."""
        self._empty &= not len(samples)
        self._held = np.concatenate([self._held, samples])
        if len(self._held) < len(self._taps):
            return np.zeros(0, np.float32)
        found = oaconvolve(self._held.astype(np.float64), self._taps, mode="valid")
        self._held = self._held[len(found) :]
        return np.asarray(found.astype(np.float32))

    def finish(self) -> Samples:
        """The rest, once the last sample has come."""
        silence = np.zeros(self._half, np.float32)
        return silence[:0] if self._empty else self.push(silence)


def _taps(band: Band, rate: int, count: int) -> np.ndarray:
    """(count,) float64, an odd number of taps of a Hamming window design."""
    if band.low >= rate / 2:
        whole = np.zeros(count)
        whole[count // 2] = 1.0
        return whole
    if band.high >= rate / 2:
        return np.asarray(firwin(count, band.low, fs=rate))
    if band.low <= 0:
        return np.asarray(firwin(count, band.high, fs=rate, pass_zero=False))
    return np.asarray(firwin(count, [band.low, band.high], fs=rate))
