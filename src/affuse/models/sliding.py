"""A model of values over time, slid over a whole recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import uniform_filter1d

from affuse.errors import AffuseError
from affuse.features.batch import Batch, collate, normalise
from affuse.features.stream import Stream, window_of
from affuse.features.windows import frame_windows, overlap_mean, tiles
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec, Smoothing

_BATCH = 4

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
    clipped = np.asarray(values, np.float64).clip(-1, 1)
    return uniform_filter1d(clipped, frames, mode=edges, cval=0.0)


@dataclass(frozen=True)
class Series:
    """Values over time.

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


def slide(
    model: Model,
    spec: ModelSpec,
    streams: Mapping[str, Stream],
    duration: float,
    change: Callable[[Batch], Batch] | None = None,
    hop: float | None = None,
    name: str = "",
) -> Series:
    """What a model says about a recording, at the rate of its leader, before any smoothing.

    Windows have the length of those in training. Where they overlap, their mean counts; those of
    a spec with `windows: published` lie end to end from the start, the last one filled up with
    absent frames. Values lie where annotations of them would lie (`ModelSpec.delay`).

    Args:
        model: A model with a head per frame, on its device, in evaluation mode.
        spec: Its spec.
        streams: Of the whole recording, by name.
        duration: Of the recording in seconds.
        change: Done to each normalised batch, such as a condition.
        hop: Seconds from window to window, where they overlap; two thirds of the window, in whole
            frames, by default.
        name: Of the recording, for conditions whose random numbers depend on it.

    Returns:
        ceil(duration * rate) frames.

    Raises:
        AffuseError: What the model says is not finite.
    """
    rate = model.leader.rate
    device = next(model.parameters()).device
    frames = max(1, int(np.ceil(duration * rate - 1e-6)))
    length = max(1, round(spec.seconds * rate))
    if spec.windows == "published":
        spans = tiles(frames, length)
    else:
        step = round(spec.seconds * 2 / 3 * rate) if hop is None else hop * rate
        spans = frame_windows(frames, length, min(max(step, 1), length))
    values, known = [], []
    of = f" for {name}" if name else ""
    for first in range(0, len(spans), _BATCH):
        group = spans[first : first + _BATCH]
        windows = [
            window_of(dict(streams), spec.streams, start / rate, spec.seconds) for start, _ in group
        ]
        ids = [f"{name} {start}" for start, _ in group]
        batch = normalise(collate(windows, spec.streams, ids=ids).to(device), spec.normalisation)
        with torch.inference_mode():
            output = model(change(batch) if change else batch)
        assert output.mask is not None
        if not bool(output.values[output.mask].isfinite().all()):
            raise AffuseError(f"the model {spec.model} gives numbers that are not finite{of}")
        values += list(output.values.float().cpu().numpy())
        known += list(output.mask[..., None].float().cpu().numpy())
    share = overlap_mean(known, spans, frames)
    # A frame that only some of its windows know is the mean of these.
    seen = overlap_mean([v * k for v, k in zip(values, known, strict=True)], spans, frames)
    mask = share[:, 0] > 0
    series = Series(np.where(mask[:, None], seen / share.clip(1e-9), 0), mask, rate)
    return series.later(spec.delay)
