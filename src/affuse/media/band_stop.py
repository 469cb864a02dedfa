"""Sound without a band of frequencies, part by part."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

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
        found = _convolved(self._held.astype(np.float64), self._taps)
        self._held = self._held[len(found) :]
        return np.asarray(found.astype(np.float32))

    def finish(self) -> Samples:
        """The rest, once the last sample has come."""
        silence = np.zeros(self._half, np.float32)
        return silence[:0] if self._empty else self.push(silence)


def _convolved(samples: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """(N - count + 1,) where N samples and all taps overlap."""
    size = 1 << (len(samples) - 1).bit_length()
    spectrum = np.fft.rfft(samples, size) * np.fft.rfft(taps, size)
    return np.asarray(np.fft.irfft(spectrum, size)[len(taps) - 1 : len(samples)])


def _taps(band: Band, rate: int, count: int) -> np.ndarray:
    """(count,) float64, an odd number of taps of a Hamming window design.

    They pass 0 Hz unchanged, or half the rate where the band begins at 0.
    """
    highest = rate / 2
    times = np.arange(count) - count // 2

    def lowpass(frequency: float) -> np.ndarray:
        share = min(frequency, highest) / highest
        return np.asarray(share * np.sinc(share * times))

    low, high = max(band.low, 0.0), max(band.high, 0.0)
    taps = (lowpass(low) + lowpass(highest) - lowpass(high)) * np.hamming(count)
    kept = np.ones(count) if low > 0 else np.cos(np.pi * times)
    return np.asarray(taps / (taps @ kept))
