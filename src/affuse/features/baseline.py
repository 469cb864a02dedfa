"""A person's own baseline: streams standardised by what is known of the same person.

Of n windows of a person with mean m and variance v, beside a corpus with m_0 and v_0,

    mean = (n m + k m_0) / (n + k)        variance = (n v + k v_0) / (n + k)

so that nothing known (n = 0) is the corpus, and a person of whom much is known is standardised by
themselves. n is counted in windows of the model: the present frames of a stream over those of a
window, so that recordings of any length count by what they show; a row per clip counts as one.

Frames are moved before anything else is done with them, onto the statistics of the corpus:

    x -> (x - mean) sqrt(v_0 / variance) + m_0

`normalise` then gives (x - mean) / sqrt(variance), and all between sees numbers as in the corpus.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from affuse.features.normalisation import Normalisation
from affuse.features.padded import check_finite
from affuse.features.stream import Stream, StreamSpec

#: Share of a variance of the corpus that a person's own has at least: a feature that was always the
#: same so far can still move.
FLOOR = 0.01
#: Frames that are summed up, or moved, together: memory does not depend on the recording.
_CHUNK = 1024
#: What k can be.
SHRINKAGE = (1e-3, 1e6)


@dataclass(frozen=True)
class Evidence:
    """Sums over present frames of one stream of one person.

    Args:
        frames: How many.
        total: (F,) float64, of all values of a frame.
        squares: (F,) float64.
    """

    frames: int
    total: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, stream: Stream, spec: StreamSpec, clip: str = "") -> Evidence:
        """That of some frames.

        Raises:
            AffuseError: A number is not finite; the message names the clip.
        """
        check_finite(stream, spec, clip)
        size = math.prod(spec.shape)
        frames, total, squares = 0, np.zeros(size), np.zeros(size)
        for part in _chunks(len(stream.mask)):
            values = stream.values[part][stream.mask[part]].astype(np.float64).reshape(-1, size)
            frames += len(values)
            total += values.sum(0)
            squares += (values**2).sum(0)
        return cls(frames, total, squares)

    def __add__(self, other: Evidence) -> Evidence:
        return Evidence(
            self.frames + other.frames, self.total + other.total, self.squares + other.squares
        )

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (F,) over the frames, of which there is one at least."""
        mean = self.total / self.frames
        return mean, np.maximum(self.squares / self.frames - mean**2, 0)

    def normalisation(self) -> Normalisation:
        """Their statistics; what is always the same is not divided."""
        mean, variance = self.moments()
        std = np.sqrt(variance)
        std[std < 1e-6 * np.maximum(np.abs(mean), 1)] = 1.0
        return Normalisation(tuple(mean.tolist()), tuple(std.tolist()))


#: What is known of a person: name of a stream -> evidence; streams of which nothing is are missing.
Known = Mapping[str, Evidence]


def is_personal(spec: StreamSpec) -> bool:
    """Whether people differ in the level of a stream: not in images, nor in scores of classes."""
    return spec.kind in ("vectors", "spectrum", "maps")


def together(parts: Iterable[Known]) -> Known:
    """All that is known, added in the order of the parts."""
    return reduce(_joined, parts, {})


def _joined(first: Known, second: Known) -> Known:
    return {**first, **{n: first[n] + x if n in first else x for n, x in second.items()}}


def evidence_of(
    streams: Mapping[str, Stream], specs: Mapping[str, StreamSpec], clip: str = ""
) -> Known:
    """What streams tell of the person who is seen and heard in them.

    Args:
        streams: By name; those that are not personal tell nothing.
        specs: Their specs.
        clip: Of what they are, for messages.

    Raises:
        AffuseError: A number is not finite.
    """
    found = {
        name: Evidence.of(stream, specs[name], clip)
        for name, stream in streams.items()
        if is_personal(specs[name])
    }
    return {name: one for name, one in found.items() if one.frames}


class Baselines:
    """Moves streams of people onto the statistics of the corpus, as far as the people are known.

    Streams that are not personal (`is_personal`) are left as they are.

    Args:
        specs: The streams of a model, by name.
        corpus: Statistics of the corpus, by name.
        k: Windows of a person that count as much as the corpus.
        window: Seconds of a window.
    """

    def __init__(
        self,
        specs: Mapping[str, StreamSpec],
        corpus: Mapping[str, Normalisation],
        k: float,
        window: float,
    ) -> None:
        self.specs = {name: spec for name, spec in specs.items() if is_personal(spec)}
        self.k, self.window = k, window
        self._corpus = {
            name: (np.array(corpus[name].mean), np.array(corpus[name].std)) for name in self.specs
        }

    def windows(self, name: str, known: Known) -> float:
        """n: how many windows of a stream are known."""
        if name not in known:
            return 0.0
        return known[name].frames / max(1.0, self.specs[name].rate * self.window)

    def seconds(self, known: Known) -> dict[str, float]:
        """Modality -> seconds that are known; a row per clip counts as a window."""
        found: dict[str, float] = {}
        for name, spec in self.specs.items():
            own = self.windows(name, known) * self.window
            found[spec.modality] = max(found.get(spec.modality, 0.0), own)
        return found

    def statistics(self, name: str, known: Known) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation (F,) or (1,) float64 by which a stream of a person is standardised."""
        mean, std = self._corpus[name]
        n = self.windows(name, known)
        if not n:
            return mean, std
        own, variance = known[name].moments()
        variance = np.maximum(variance, FLOOR * std**2)
        share = n / (n + self.k)
        return share * own + (1 - share) * mean, np.sqrt(share * variance + (1 - share) * std**2)

    def moved(self, name: str, stream: Stream, known: Known) -> Stream:
        """A stream of a person on the statistics of the corpus; itself where nothing is known."""
        if name not in self.specs or not self.windows(name, known) or not len(stream.mask):
            return stream
        mean, std = self._corpus[name]
        own, deviation = self.statistics(name, known)
        values = np.empty_like(stream.values)
        factor = np.float32(std / deviation)
        offset = np.float32(mean - own * (std / deviation))
        for part in _chunks(len(values)):
            rows = stream.values[part].reshape(len(values[part]), -1).astype(np.float32)
            rows *= factor
            rows += offset
            values[part] = rows.reshape(values[part].shape)
        return replace(stream, values=values)

    def all_moved(self, streams: Mapping[str, Stream], known: Known) -> dict[str, Stream]:
        """Streams of a person, each as `moved` gives it."""
        return {name: self.moved(name, stream, known) for name, stream in streams.items()}


def _chunks(frames: int) -> Iterator[slice]:
    return (slice(first, first + _CHUNK) for first in range(0, frames, _CHUNK))
