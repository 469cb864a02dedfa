"""Streams of a source that is read once, computed anew of each window that is kept in memory."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from affuse.features.arriving import Arriving
from affuse.features.blocks import joined
from affuse.features.extractor import SHORTEST, Extractor
from affuse.features.sound import SoundExtractor
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.audio import Sound
    from affuse.media.channels import Samples
    from affuse.media.live_sound import LiveSound


@runtime_checkable
class OfBlocks(Protocol):
    """An extractor that makes a stream of another one.

    Attributes:
        spec: Of its stream.
        input: The extractor of the other one.
    """

    spec: StreamSpec
    input: Extractor

    def features(self, blocks: Iterator[Stream]) -> Iterator[Stream]:
        """What it makes of consecutive parts."""
        ...


class Whole(ABC):
    """A stream that is computed of each window anew.

    Args:
        spec: Of the stream.
    """

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec

    def collect(self, until: float, ended: bool) -> None:
        """Take what has come; see `Arriving.take`."""
        return

    @abstractmethod
    def reaches(self, second: float) -> bool:
        """Whether all up to a second is here, or nothing ever came."""

    @abstractmethod
    def window(self, start: float, end: float) -> Stream:
        """The stream of some seconds; without frames where there is too little to make it of.

        Args:
            start: Seconds of the source.
            end: Seconds of the source.
        """

    def nothing(self) -> Stream:
        """A stream without frames."""
        return Stream(np.zeros((0, *self.spec.shape), self.spec.dtype), np.zeros(0, bool))


class WindowRows(Whole):
    """What is made of a window of the rows of another stream.

    Args:
        extractor: What makes it.
        read: The rows of the other stream.
        seconds: Of the rows that are kept.
    """

    def __init__(self, extractor: OfBlocks, read: Arriving, seconds: float) -> None:
        super().__init__(extractor.spec)
        self._extractor, self._read, self._ended = extractor, read, False
        self._keep = math.ceil(seconds * read.spec.rate)
        self._held: Stream | None = None

    def collect(self, until: float, ended: bool) -> None:
        """See `Whole`."""
        if self._ended:
            return
        part, self._ended = self._read.take(until, ended), ended
        if not len(part.mask):
            return
        held = joined([self._held, part] if self._held is not None else [part])
        assert held is not None
        gone = max(0, len(held.mask) - self._keep)
        start = held.start + gone / self._read.spec.rate
        self._held = Stream(held.values[gone:].copy(), held.mask[gone:], start)

    def reaches(self, second: float) -> bool:
        """See `Whole`."""
        held, rate = self._held, self._read.spec.rate
        return self._ended or (
            held is not None and len(held.mask) >= round((second - held.start) * rate)
        )

    def window(self, start: float, end: float) -> Stream:
        """See `Whole`."""
        held, rate = self._held, self._read.spec.rate
        if held is None:
            return self.nothing()
        first, last = (max(0, round((second - held.start) * rate)) for second in (start, end))
        part = Stream(held.values[first:last], held.mask[first:last], held.start + first / rate)
        made = joined(self._extractor.features(iter([part]))) if len(part.mask) else None
        return made or self.nothing()


class WindowSound(Whole):
    """A stream that describes a whole window of sound.

    Args:
        extractor: What makes it.
        sound: Of the source.
        seconds: Of the sound that is kept.
    """

    def __init__(self, extractor: SoundExtractor, sound: LiveSound, seconds: float) -> None:
        super().__init__(extractor.spec)
        self.rate = extractor.sound_rate
        self._extractor, self._sound = extractor, sound
        self._keep = round(seconds * self.rate)
        self._held: deque[Samples] = deque()
        self._count = self._first = 0  # samples that are held, and the number of the first
        sound.tap(self.rate, self._push)

    def _push(self, samples: Samples) -> None:
        self._held.append(samples)
        self._count += len(samples)
        while self._count - len(self._held[0]) > self._keep:
            gone = len(self._held.popleft())
            self._count, self._first = self._count - gone, self._first + gone

    def reaches(self, second: float) -> bool:
        """See `Whole`."""
        here = self._first + self._count >= round(second * self.rate)
        return here or not self._sound.came

    def window(self, start: float, end: float) -> Stream:
        """See `Whole`."""
        from affuse.media.audio import Sound

        audio = np.concatenate([np.zeros(0, np.float32), *self._held])
        first, last = (round(second * self.rate) - self._first for second in (start, end))
        sound = Sound(audio[max(first, 0) : last], self.rate, self._sound.between(start, end))
        if sound.seconds < SHORTEST or len(sound.samples) < SHORTEST * self.rate:
            return self.nothing()
        stream = self._where_heard(self._extractor.stream_of(sound), sound)
        return replace(stream, start=stream.start + start)

    def _where_heard(self, stream: Stream, sound: Sound) -> Stream:
        """Without what it has where there is no sound; zeros beyond its end count."""
        if not self.spec.rate:
            return stream
        times = stream.start + np.arange(len(stream.mask)) / self.spec.rate
        beyond = times >= len(sound.samples) / sound.rate
        return replace(stream, mask=stream.mask & (sound.at(times) | beyond))
