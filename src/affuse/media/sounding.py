"""Where in a recording there is sound, and where it is silent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affuse.media.channels import Samples

EDGE = 0.05
"""Seconds by which sound may begin later, or end earlier, and is still said to be there; so that a
pause is twice as long at least."""
SILENCE = -60.0
"""Level in dB of full scale, over a tenth of a second, below which sound is silent."""

#: Start and end in seconds.
Span = tuple[float, float]


class Spans:
    """Remembers where the samples that come by belong.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._spans: list[list[int]] = []

    def note(self, position: int, count: int) -> None:
        """Note so many samples, the first of which has a number since time 0."""
        end = position + count
        if self._spans and position <= self._spans[-1][1] + 2 * EDGE * self.rate:
            self._spans[-1][1] = max(end, self._spans[-1][1])
        elif count:
            self._spans.append([position, end])

    def forget(self, before: float) -> None:
        """Let go of what ended before a second."""
        self._spans = [span for span in self._spans if span[1] >= before * self.rate]

    def between(self, start: float, end: float | None) -> tuple[Span, ...]:
        """Those of a window, in seconds since its start."""
        return between([(a / self.rate, b / self.rate) for a, b in self._spans], start, end)


class Levels:
    """Tells silence in the samples that come by.

    Args:
        rate: Hz.
    """

    def __init__(self, rate: int) -> None:
        self.rate, self._size = rate, max(1, rate // 10)
        self._blocks: dict[int, tuple[float, int]] = {}

    def add(self, position: int, samples: Samples) -> None:
        """Count samples (N,), the first of which has a number since time 0."""
        if not len(samples):
            return
        first = position // self._size
        edges = np.arange((first + 1) * self._size - position, len(samples), self._size)
        begins = np.concatenate([[0], edges])
        energies = np.add.reduceat(np.square(samples, dtype=np.float64), begins)
        counts = np.diff(np.append(begins, len(samples)))
        for number, energy, count in zip(
            range(first, first + len(begins)), energies.tolist(), counts.tolist(), strict=True
        ):
            before = self._blocks.get(number, (0.0, 0))
            self._blocks[number] = (before[0] + energy, before[1] + count)

    def forget(self, before: float) -> None:
        """Let go of what was before a second."""
        first = int(before * self.rate / self._size)
        self._blocks = {k: block for k, block in self._blocks.items() if k >= first}

    def _silent(self) -> dict[int, int]:
        """Number of a silent block -> its samples."""
        least = 10 ** (SILENCE / 10)
        return {k: count for k, (energy, count) in self._blocks.items() if energy < least * count}

    @property
    def silences(self) -> tuple[Span, ...]:
        """The silent stretches, in seconds."""
        spans: list[list[int]] = []
        for number, count in sorted(self._silent().items()):
            begin = number * self._size
            if spans and begin == spans[-1][1]:
                spans[-1][1] = begin + count
            else:
                spans.append([begin, begin + count])
        return tuple((a / self.rate, b / self.rate) for a, b in spans)

    @property
    def silent(self) -> float:
        """Their share of the sound."""
        return sum(self._silent().values()) / max(1, sum(n for _, n in self._blocks.values()))


def between(spans: Sequence[Span], start: float, end: float | None) -> tuple[Span, ...]:
    """Those of a window, in seconds since its start."""
    stop = np.inf if end is None else end - start
    shifted = [(a - start, b - start) for a, b in spans]
    return tuple((max(a, 0.0), min(b, stop)) for a, b in shifted if b > 0 and a < stop)


def within(spans: Sequence[Span], times: ArrayLike, edge: float = EDGE) -> NDArray[np.bool_]:
    """Whether some seconds (N,) lie in one of some spans, or so near to one."""
    times = np.asarray(times, np.float64)
    there = np.zeros(times.shape, bool)
    for start, end in spans:
        there |= (times >= start - edge) & (times <= end + edge)
    return there
