"""Outputs for every frame of a recording, smoothed, and interpolated at any time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from affuse.models.spec import Smoothing

Edges = Literal["constant", "nearest"]


def rjca_smoothed(values: np.ndarray, frames: int, edges: Edges = "constant") -> np.ndarray:
    """Clipped to -1 and 1, then averaged over some frames.

    Args:
        values: (n,) predictions.
        frames: Of the average; of an even number, one more lies before than after.
        edges: What lies beyond both ends: `constant` zeros, as published, or the `nearest` value.

    Returns:
        (n,) float64.

    Source: recursive joint attention (ICASSP 2023), released code.
    """
    before = frames // 2
    beyond: Literal["constant", "edge"] = "constant" if edges == "constant" else "edge"
    clipped = np.asarray(values, np.float64).clip(-1, 1)
    padded = np.pad(clipped, (before, frames - 1 - before), beyond)
    return np.convolve(padded, np.full(frames, 1 / frames), "valid")


@dataclass(frozen=True)
class Series:
    """Continuous valence and arousal.

    Args:
        values: (T, D) float32; frame i lies at i / rate. Zero where nothing is known.
        mask: (T,) bool, True where the values are known.
        rate: Hz.
    """

    values: np.ndarray
    mask: np.ndarray
    rate: float

    def at(self, times: ArrayLike) -> np.ndarray:
        """Values (N, D) float32 at some seconds, on straight lines between frames.

        NaN where the nearest frame is not known, or more than a frame away.
        """
        times = np.asarray(times, np.float64)
        places = times * self.rate
        nearest = np.round(places).astype(int).clip(0, len(self.mask) - 1)
        known = self.mask[nearest] & (np.abs(places - nearest) <= 1 + 1e-6)
        frames = np.flatnonzero(self.mask)
        if not len(frames):
            return np.full((len(times), self.values.shape[1]), np.nan, np.float32)
        columns = [np.interp(places, frames, column[frames]) for column in self.values.T]
        return np.where(known[:, None], np.stack(columns, 1), np.nan).astype(np.float32)

    def smoothed(self, smoothing: Smoothing) -> Series:
        """Averaged over time.

        Args:
            smoothing: Seconds: the mean over the known frames up to half of that before and after
                each. Or frames per dimension, as published: clipped first, unknown frames and what
                lies beyond both ends being zeros (`rjca_smoothed`).
        """
        if not isinstance(smoothing, float | int):
            kept = np.where(self.mask[:, None], self.values, 0)
            means = [rjca_smoothed(x, n) for x, n in zip(kept.T, smoothing, strict=True)]
            return self._known(np.stack(means, 1))
        reach = round(smoothing * self.rate / 2)
        if not reach:
            return self
        kept = np.where(self.mask[:, None], self.values, 0).astype(np.float64)
        sums = np.cumsum(np.concatenate([np.zeros((1, kept.shape[1])), kept]), 0)
        counts = np.cumsum(np.concatenate([[0], self.mask]))
        frames = np.arange(len(self.mask))
        first, last = (frames - reach).clip(0), (frames + reach + 1).clip(max=len(frames))
        count = (counts[last] - counts[first]).clip(1)
        means = (sums[last] - sums[first]) / count[:, None]
        return self._known(means)

    def _known(self, values: np.ndarray) -> Series:
        """Other values (T, D), for the same frames."""
        kept = np.where(self.mask[:, None], values, 0).astype(np.float32)
        return Series(kept, self.mask, self.rate)

    def later(self, seconds: float) -> Series:
        """Every value so many seconds later; nothing is known before the first one."""
        frames = round(seconds * self.rate)
        if not frames:
            return self
        values, mask = np.zeros_like(self.values), np.zeros_like(self.mask)
        values[frames:], mask[frames:] = self.values[:-frames], self.mask[:-frames]
        return Series(values, mask, self.rate)

    def clipped(self) -> Series:
        """Cut off at -1 and 1."""
        return Series(self.values.clip(-1, 1), self.mask, self.rate)


def filled(series: Series, times: ArrayLike) -> np.ndarray:
    """Values at some times; where nothing is known, on a line between the known neighbours.

    Args:
        series: Of a model, known in some frame.
        times: (N,) seconds.

    Returns:
        (N, D) float64; before the first and after the last known frame the values of these.

    Raises:
        ValueError: No frame is known.
    """
    frames = np.flatnonzero(series.mask)
    if not len(frames):
        raise ValueError("nothing is known in any frame")
    places = np.asarray(times, np.float64) * series.rate
    columns = [np.interp(places, frames, x) for x in series.values[frames].T.astype(np.float64)]
    return np.stack(columns, 1)
