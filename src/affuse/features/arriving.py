"""Streams of a source that is read once: their rows as soon as what they depend on is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from affuse.errors import AffuseError
from affuse.features.aligned import AlignedFaces
from affuse.features.extractor import SHORTEST, Extractor
from affuse.features.faces import Faces
from affuse.features.sections import Sections
from affuse.features.sound import LocalExtractor, SoundExtractor, masked
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.audio import Sound
    from affuse.media.channels import Samples
    from affuse.media.live import Live
    from affuse.media.live_sound import LiveSound


#: Seconds of sound that wait at most to be computed together.
_MOST = 1.0


@runtime_checkable
class FrameByFrame(Protocol):
    """An extractor that makes something of each frame of another stream.

    Attributes:
        input: The extractor of that stream.
    """

    input: Extractor

    def features_of(self, block: Stream) -> Stream:
        """What it makes of some frames."""
        ...


class Arriving(ABC):
    """The rows of a stream, one part after the other.

    Args:
        spec: Of the stream.
    """

    def __init__(self, spec: StreamSpec) -> None:
        self.spec = spec

    @abstractmethod
    def take(self, until: float, ended: bool) -> Stream:
        """The rows that follow those that were taken before, none or some.

        Args:
            until: Seconds up to which rows are wanted next; some may wait until all are there.
            ended: Whether the source has ended, so that nothing more comes.
        """


class ArrivingSound(Arriving):
    """Rows that depend on the sound around them only.

    Args:
        extractor: What makes them.
        sound: Of the source.
    """

    def __init__(self, extractor: LocalExtractor, sound: LiveSound) -> None:
        super().__init__(extractor.spec)
        self._extractor, self._sound = extractor, sound
        self._sections = Sections(
            extractor.rows, extractor.spec, extractor.hop, extractor.context, sectioned=False
        )
        self._count = 0
        sound.tap(extractor.sound_rate, self._sections.push)

    def take(self, until: float, ended: bool) -> Stream:
        """See `Arriving`."""
        made, rate = self._extractor, self.spec.rate
        there = self._sections.there(made.ahead)
        if not ended and there < min((until - made.first) * rate - self._count, _MOST * rate):
            return Stream(np.zeros((0, *self.spec.shape), np.float32), np.zeros(0, bool))
        values = self._sections.rest() if ended else self._sections.flush(made.ahead)
        if ended and made.left_out:
            values = values[: -made.left_out]
        start = made.first + self._count / rate
        self._count += len(values)
        return masked(values, self._sound.at(start + np.arange(len(values)) / rate), start)


class ArrivingFaces(Arriving):
    """Crops of the main face so far, or what is made of each.

    Args:
        extractor: What makes them of recordings.
        live: The source.
        made: What is made of some crops; None for nothing.
    """

    def __init__(
        self,
        extractor: AlignedFaces | Faces,
        live: Live,
        made: Callable[[Stream], Stream] | None = None,
    ) -> None:
        super().__init__(extractor.spec)
        options, (first, size) = extractor.options, extractor.cut
        self._extractor, self._made, self._count = extractor, made, 0
        self._crops = live.faces_of(options).cut(
            first, self.spec.rate, size, options.margin, options.align
        )

    def take(self, until: float, ended: bool) -> Stream:
        """See `Arriving`."""
        crops, there = self._crops.take()
        start = self._crops.time_of(self._count)
        self._count += len(there)
        part = Stream(self._extractor.sized(crops), there, start)
        return self._made(part) if self._made is not None else part


class WindowSound:
    """A stream that describes a whole window of sound, computed anew for each.

    Args:
        extractor: What makes it.
        sound: Of the source.
        seconds: Of the sound that is kept.
    """

    def __init__(self, extractor: SoundExtractor, sound: LiveSound, seconds: float) -> None:
        self.spec, self.rate = extractor.spec, extractor.sound_rate
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

    @property
    def came(self) -> bool:
        """Whether any sound did."""
        return self._sound.came

    def reaches(self, second: float) -> bool:
        """Whether the sound up to a second is here."""
        return self._first + self._count >= round(second * self.rate)

    def window(self, start: float, end: float) -> Stream:
        """The stream of some seconds; without frames where there is too little sound.

        Args:
            start: Seconds of the source.
            end: Seconds of the source.
        """
        from affuse.media.audio import Sound

        audio = np.concatenate([np.zeros(0, np.float32), *self._held])
        first, last = (round(second * self.rate) - self._first for second in (start, end))
        sound = Sound(audio[max(first, 0) : last], self.rate, self._sound.between(start, end))
        if sound.seconds < SHORTEST or len(sound.samples) < SHORTEST * self.rate:
            return Stream(np.zeros((0, *self.spec.shape), self.spec.dtype), np.zeros(0, bool))
        stream = self._where_heard(self._extractor.stream_of(sound), sound)
        return replace(stream, start=stream.start + start)

    def _where_heard(self, stream: Stream, sound: Sound) -> Stream:
        """Without what it has where there is no sound; zeros beyond its end count."""
        if not self.spec.rate:
            return stream
        times = stream.start + np.arange(len(stream.mask)) / self.spec.rate
        beyond = times >= len(sound.samples) / sound.rate
        return replace(stream, mask=stream.mask & (sound.at(times) | beyond))


def arriving(extractor: Extractor, live: Live, seconds: float) -> Arriving | WindowSound:
    """The stream of an extractor, of a source.

    Args:
        extractor: What makes it from recordings.
        live: The source, of which nothing was read yet.
        seconds: Of the windows that are wanted.

    Raises:
        AffuseError: It is computed of a whole recording or a whole window of frames.
    """
    if live.sound is not None and isinstance(extractor, LocalExtractor):
        return ArrivingSound(extractor, live.sound)
    if live.sound is not None and isinstance(extractor, SoundExtractor):
        return WindowSound(extractor, live.sound, seconds + live.late + 1.0)
    if isinstance(extractor, AlignedFaces | Faces):
        return ArrivingFaces(extractor, live)
    if isinstance(extractor, FrameByFrame) and isinstance(extractor.input, AlignedFaces | Faces):
        return ArrivingFaces(extractor.input, live, extractor.features_of)
    raise AffuseError(
        f"the model reads {extractor.spec.name}, which is made of many frames at once and not "
        "frame by frame, as live would need it; affuse predict makes it"
    )
