"""Where the samples of decoded sound belong, and which of them are absurd."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from affuse.errors import Unusable
from affuse.media.channels import Samples
from affuse.media.counts import RESET

JITTER = 0.015
"""Seconds by which time stamps may differ from the count of samples; a lost packet is longer."""
LARGEST = 16.0
"""Size of a sample (24 dB above full scale) beyond which it is not believed."""
MOST_WRONG = 0.01
"""Share of samples that are absurd above which the sound is refused."""


class SoundClock:
    """Says where frames of sound belong: they follow each other unless their time stamps disagree.

    Args:
        rate: Hz of the samples; frames of another rate are resampled.
        duration: Seconds beyond which a time stamp is not believed.
        channels: How many there are; frames of another number have their mean in all.

    Attributes:
        wrong: Samples so far that were not finite, or beyond `LARGEST`.
    """

    def __init__(self, rate: int, duration: float = math.inf, channels: int = 1) -> None:
        self.rate, self.duration, self.channels = rate, duration, channels
        self.wrong = 0
        self._position: int | None = None
        self._count, self._first_wrong = 0, 0.0

    def place(self, frame: Any, time: float | None) -> tuple[int, Samples]:
        """Samples of a frame, and the number of the first of them since time 0.

        Args:
            frame: Decoded sound.
            time: Seconds of the recording at which it begins by its time stamp, or None.

        Returns:
            The number, and (N,) or (N, channels).
        """
        samples, wrong = repaired(_samples(frame))
        if samples.shape[1] != self.channels:  # some change their layout
            mean = samples.mean(1, dtype=np.float32, keepdims=True)
            samples = np.repeat(mean, self.channels, 1)
        if self.channels == 1:
            samples = samples[:, 0]
        if frame.sample_rate != self.rate:  # some streams change their rate on the way
            samples = soxr.resample(samples, frame.sample_rate, self.rate)
        position = self._position
        if time is not None:
            stamped = round(time * self.rate)
            gap = math.inf if position is None else (stamped - position) / self.rate
            credible = gap > -RESET and stamped <= self.duration * self.rate
            if position is None or (abs(gap) > JITTER and credible):
                position = stamped
        position = position or 0
        self._position = position + len(samples)
        if len(wrong) and not self.wrong:
            self._first_wrong = position / self.rate + wrong[0] / frame.sample_rate
        self._count, self.wrong = self._count + len(samples), self.wrong + len(wrong)
        return position, samples

    def notes(self, path: Path) -> tuple[str, ...]:
        """What was wrong with the samples up to here and was put right.

        Raises:
            Unusable: Too many of them were.
        """
        what, when = f"not a number, or beyond ±{LARGEST:g}", f"{self._first_wrong:.2f} s"
        if self.wrong > MOST_WRONG * self._count:
            share = self.wrong / self._count
            raise Unusable(path, f"{share:.0%} of its sound, from {when} on, is {what}")
        if self.wrong == 1:
            return (f"one sample of its sound, at {when}, is {what}; filled in",)
        if self.wrong:
            return (
                f"{self.wrong} samples of its sound, the first at {when}, are {what}; filled in",
            )
        return ()


class Joiner:
    """Joins samples that follow each other, so that what is done with them is done seldom.

    Args:
        size: Samples from which on they are handed on.
    """

    def __init__(self, size: int) -> None:
        self._size, self._parts = size, list[Samples]()
        self._begin = self._end = 0

    def push(self, position: int, samples: Samples) -> Iterator[tuple[int, Samples]]:
        """What is joined once some samples have come.

        Args:
            position: Number of the first sample since time 0.
            samples: (N,) or (N, C).

        Yields:
            The number of the first sample, and the samples.
        """
        if self._parts and position != self._end:
            yield from self.finish()
        if not self._parts:
            self._begin = self._end = position
        self._parts.append(samples)
        self._end += len(samples)
        if self._end - self._begin >= self._size:
            yield from self.finish()

    def finish(self) -> Iterator[tuple[int, Samples]]:
        """What is left."""
        parts, self._parts = self._parts, []
        if parts:
            yield self._begin, np.concatenate(parts)


def _samples(frame: Any) -> Samples:
    """Samples of an audio frame (N, channels), -1 to 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return np.asarray(samples.T, np.float32)


def repaired(samples: Samples) -> tuple[Samples, NDArray[np.intp]]:
    """Samples (N, C) of which none is absurd, and the numbers of those that were.

    What is not finite, or beyond `LARGEST`, lies on the line between its neighbours.
    """
    good = np.abs(samples) <= LARGEST
    if good.all():
        return samples, np.zeros(0, np.intp)
    samples, places = np.where(good, samples, np.float32(0)), np.arange(len(samples))
    for channel, known in zip(samples.T, good.T, strict=True):
        if known.any():
            channel[~known] = np.interp(places[~known], places[known], channel[known])
    return samples, np.flatnonzero(~good.all(1))
