"""How loud a recording is over time, and how far its sound stands out of its background."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affuse.media.channels import Samples

Floats = NDArray[np.float64]

BLOCK = 0.05
"""Seconds of a block, of which the power is kept: shorter than the pauses between words."""
CONTEXT = 10.0
"""Seconds around a moment, at least, in which the background is looked for."""
QUIETEST = 0.1
"""Share of the blocks that are taken for background: its level is that of the loudest of them."""
SNR_RANGE = -15.0, 60.0
"""Least and greatest ratio in dB that is told apart."""
LOWEST = -100.0
"""Least level in dB of full scale that is told apart: digital silence."""


@dataclass(frozen=True)
class Loudness:
    """The power of sound over time, without its constant part.

    Attributes:
        times: (K,) seconds of the recording at which blocks begin, ascending; none where there is
            no sound.
        powers: (K,) mean square of each block, of a full scale of 1.
    """

    times: Floats
    powers: Floats

    def level(self, starts: NDArray[np.floating], ends: NDArray[np.floating]) -> Floats:
        """Levels (W,) in dB of full scale (RMS; a full sine is -3) between some seconds.

        Args:
            starts: (W,) seconds.
            ends: (W,) seconds, after them.

        Returns:
            NaN where there is no sound.
        """
        first, last = self._blocks(starts, ends)
        sums = np.concatenate([[0.0], np.cumsum(self.powers)])
        count = last - first
        mean = (sums[last] - sums[first]) / np.maximum(count, 1)
        return np.where(count > 0, _decibels(mean), np.nan)

    def snr(self, starts: NDArray[np.floating], ends: NDArray[np.floating]) -> Floats:
        """Signal-to-noise ratios (W,) in dB, of the seconds around some stretches.

        The background is what the quietest tenth of the blocks within at least ten seconds does not
        exceed; the signal is what is more than that on average. So the ratio of a pause is that of
        the words around it. Steady sound, such as a tone, is background; a noise that comes and
        goes is not.

        Args:
            starts: (W,) seconds.
            ends: (W,) seconds, after them.

        Returns:
            Within `SNR_RANGE`; NaN where there is no sound, or digital silence.
        """
        wide = np.maximum(CONTEXT - (ends - starts), 0) / 2
        # half seconds are enough, and neighbouring frames share them
        spans = np.stack([np.floor(2 * (starts - wide)) / 2, np.ceil(2 * (ends + wide)) / 2], 1)
        unique, which = np.unique(spans, axis=0, return_inverse=True)
        first, last = self._blocks(unique[:, 0], unique[:, 1])
        found = np.array([_snr(self.powers[a:b]) for a, b in zip(first, last, strict=True)])
        ratios = found[which.reshape(-1)] if len(found) else np.zeros(0)
        # nothing is there, or nothing but digital silence
        return np.where(self.level(starts, ends) > LOWEST, ratios, np.nan)

    def _blocks(
        self, starts: NDArray[np.floating], ends: NDArray[np.floating]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        middles = self.times + BLOCK / 2
        return np.searchsorted(middles, starts), np.searchsorted(middles, ends, "right")


def _snr(powers: Floats) -> float:
    lowest = 10 ** (LOWEST / 10)
    if not len(powers) or powers.mean() <= lowest:
        return np.nan
    background = max(float(np.quantile(powers, QUIETEST)), lowest)
    signal = float(powers.mean()) - background
    ratio = 10 * np.log10(max(signal / background, 1e-9))
    return float(np.clip(ratio, *SNR_RANGE))


def _decibels(power: Floats) -> Floats:
    return 10 * np.log10(np.maximum(power, 10 ** (LOWEST / 10)))


class LoudnessMeter:
    """Measures the power of the samples that come by.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self.rate, self._size = rate, max(1, round(rate * BLOCK))
        self._numbers = array("q")
        self._sums, self._squares, self._counts = array("d"), array("d"), array("q")

    def add(self, position: int, samples: Samples) -> None:
        """Count samples (N,), the first of which has a number since time 0."""
        if not len(samples):
            return
        first = position // self._size
        edges = np.arange((first + 1) * self._size - position, len(samples), self._size)
        begins = np.concatenate([[0], edges]).astype(np.intp)
        exact = samples.astype(np.float64)
        sums = np.add.reduceat(exact, begins)
        squares = np.add.reduceat(np.square(exact), begins)
        counts = np.diff(np.append(begins, len(samples)))
        self._sums.extend(sums.tolist())
        self._squares.extend(squares.tolist())
        self._counts.extend(counts.tolist())
        self._numbers.extend(range(first, first + len(begins)))

    @property
    def loudness(self) -> Loudness:
        """What was heard so far."""
        numbers, where = np.unique(np.array(self._numbers, np.int64), return_inverse=True)
        sums, squares, counts = (
            np.bincount(where, np.array(part, np.float64), len(numbers))
            for part in (self._sums, self._squares, self._counts)
        )
        powers = np.maximum(squares / counts - np.square(sums / counts), 0)
        return Loudness(numbers * self._size / self.rate, powers)
