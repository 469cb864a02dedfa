"""Streams of a source that is read once: their rows as soon as what they depend on is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from affuse.features.aligned import AlignedFaces
from affuse.features.faces import Faces
from affuse.features.sections import Sections
from affuse.features.sound import LocalExtractor, masked
from affuse.features.stream import Stream, StreamSpec

if TYPE_CHECKING:
    from affuse.media.live import Live
    from affuse.media.live_sound import LiveSound

#: Seconds of sound that wait at most to be computed together.
_MOST = 1.0


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
            extractor.rows, extractor.spec, extractor.hop, extractor.context, extractor.section
        )
        self._count = 0
        sound.tap(extractor.sound_rate, self._sections.push)

    def take(self, until: float, ended: bool) -> Stream:
        """See `Arriving`."""
        made, rate = self._extractor, self.spec.rate
        if made.section:
            if ended:
                self._sections.finish()
            values = self._sections.taken()
        else:
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
