"""The channels of a sound as one, also where they are of opposite phase."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

BLOCK = 1.0
"""Seconds over which it is decided whether channels cancel each other."""
CANCELLED = 0.1
"""Channels cancel each other where their mean has less than this share (-10 dB) of the power that
it has with the inverted ones turned."""
FADE = 0.01
"""Seconds in which a channel is turned, so that nothing clicks."""
_LEAST = 0.25  # seconds of a block from which on it decides for itself
_QUIET = 1e-6  # power (-60 dB) below which it does not

Samples = NDArray[np.float32]


class Mixer:
    """The mean of the channels, in which those of opposite phase are turned where they cancel.

    Ordinary stereo, and a channel that is silent, give the plain mean.

    Args:
        rate: Hz; blocks begin with the seconds of the recording.
    """

    def __init__(self, rate: int) -> None:
        self.rate, self._size = rate, round(BLOCK * rate)
        self._block = _Block()
        self._before: NDArray[np.float32] | None = None

    def push(self, position: int, samples: Samples) -> Iterator[tuple[int, Samples]]:
        """What is mixed once some samples have come: of one channel they themselves.

        Args:
            position: Number of the first sample since time 0.
            samples: (N, C), or (N,) of one channel.

        Yields:
            The number of the first sample, and (N,).
        """
        if samples.ndim == 1:
            yield position, samples
            return
        for place, part in _in_blocks(position, samples, self._size):
            number = place // self._size
            if self._block.parts and number != self._block.number:
                yield from self.finish()
            self._block.add(number, place, part)

    def finish(self) -> Iterator[tuple[int, Samples]]:
        """What is left."""
        block = self._block
        if block.parts:
            self._before = block.signs(self._before, self.rate)
            self._block = _Block(self._before)
            yield from block.mixed(self._before, self.rate)


class LiveMixer:
    """The same at once: what turns a channel is the last second or two so far.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._last, self._block = _Block(), _Block()
        self._before: NDArray[np.float32] | None = None

    def push(self, position: int, samples: Samples) -> tuple[int, Samples]:
        """The mean of some samples; see `Mixer.push`."""
        if samples.ndim == 1:
            return position, samples
        self._block.add(0, position, samples)
        self._block.parts.clear()
        both = (
            self._block
            if not self._last.count
            else _Block(
                count=self._last.count + self._block.count,
                sums=self._last.sums + self._block.sums,
                products=self._last.products + self._block.products,
            )
        )
        signs = both.signs(self._before, self.rate)
        before = signs if self._before is None else self._before
        self._before = signs
        if self._block.count >= BLOCK * self.rate:
            self._last, self._block = self._block, _Block()
        return position, turned(samples, before, signs, 0, self.rate)


def turned(
    part: Samples,
    before: NDArray[np.float32],
    signs: NDArray[np.float32],
    since: int,
    rate: int,
) -> Samples:
    """(N,) the mean of samples (N, C) whose channels are turned from some signs to others.

    Args:
        part: The samples.
        before: (C,) signs until then.
        signs: (C,) signs from then on.
        since: Samples between the turn and the first of them.
        rate: Hz.
    """
    if (signs == 1).all() and (before == 1).all():
        return np.asarray(part.mean(1, dtype=np.float32))
    share = np.clip((since + np.arange(len(part))) / (FADE * rate), 0, 1)
    weights = before + share.astype(np.float32)[:, None] * (signs - before)
    return np.asarray((part * weights).mean(1, dtype=np.float32))


def _in_blocks(position: int, samples: Samples, size: int) -> Iterator[tuple[int, Samples]]:
    first = 0
    while first < len(samples):
        last = min(len(samples), first + size - (position + first) % size)
        yield position + first, samples[first:last]
        first = last


@dataclass
class _Block:
    """The channels of a second, and by how much they agree."""

    before: NDArray[np.float32] | None = None
    number: int = 0
    parts: list[tuple[int, Samples]] = field(default_factory=list)
    count: int = 0
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))
    products: NDArray[np.float64] = field(default_factory=lambda: np.zeros(()))

    def add(self, number: int, place: int, part: Samples) -> None:
        exact = part.astype(np.float64)
        self.number = number
        self.parts.append((place, part))
        self.count += len(part)
        self.sums = self.sums + exact.sum(0)
        self.products = self.products + exact.T @ exact

    def signs(self, before: NDArray[np.float32] | None, rate: int) -> NDArray[np.float32]:
        """(C,) 1, or -1 for the channels that are turned; as before where there is little."""
        covariance = self.products - np.outer(self.sums, self.sums) / self.count
        powers = covariance.diagonal() / self.count
        same = np.ones(len(powers), np.float32) if before is None else before
        if self.count < _LEAST * rate or powers.max() < _QUIET:
            return same
        reference = int(np.argmax(powers >= powers.max() * CANCELLED))
        signs = np.where(covariance[reference] < 0, np.float32(-1), np.float32(1))
        cancelled = covariance.sum() < CANCELLED * (signs @ covariance @ signs)
        return signs if cancelled else np.ones_like(signs)

    def mixed(self, signs: NDArray[np.float32], rate: int) -> Iterator[tuple[int, Samples]]:
        before = signs if self.before is None else self.before
        begin = self.number * round(BLOCK * rate)
        for place, part in self.parts:
            yield place, turned(part, before, signs, place - begin, rate)
