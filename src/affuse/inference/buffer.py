"""The part of a stream that coming windows still need."""

from __future__ import annotations

import numpy as np

from affuse.features.stream import Stream, StreamSpec
from affuse.models.applied import Applied


class StreamBuffer:
    """Takes consecutive parts of a stream, and holds the frames of windows that are not cut yet.

    Of a stream whose frames a network sees one by one, what the network made of them is held.

    Args:
        spec: Of the stream.
        applied: The model.
        first: Start of the first window in seconds.
        last: End of the last window in seconds.
        name: Of the recording, for messages.
    """

    def __init__(
        self, spec: StreamSpec, applied: Applied, first: float, last: float, name: str
    ) -> None:
        self.spec, self._applied, self._name = spec, applied, name
        self._wanted = first, last
        self._values: np.ndarray | None = None
        self._masks = bytearray()  # of the whole stream: a byte per frame
        self._kept = 0  # frames that are gone before the first that is held
        self.start, self.ended = 0.0, False

    def __len__(self) -> int:
        return len(self._masks)

    @property
    def held(self) -> int:
        """Frames whose values are held."""
        return 0 if self._values is None else len(self._values)

    def push(self, part: Stream) -> None:
        """Append frames.

        Args:
            part: Consecutive to the last part; a stream that is not there has none.
        """
        if not len(self):
            self.start = part.start
        first, last = (self._frame(second) - len(self) for second in self._wanted)
        wanted = slice(max(first, 0), max(last + 1, 0))
        values = self._applied.embed(self.spec.name, part, wanted, self._name).values
        if self._values is None or not len(self._values):
            self._values = values
            self._kept = len(self)
        elif len(values):
            self._values = np.concatenate([self._values, values])
        self._masks += np.ascontiguousarray(part.mask, bool).tobytes()

    def _frame(self, second: float) -> int:
        """The frame at a time, of those since the start of the stream."""
        return round((second - self.start) * self.spec.rate)

    def reaches(self, second: float) -> bool:
        """Whether the frame after a time is here, so that all up to it is known."""
        return self.ended or (self.spec.rate > 0 and len(self) > self._frame(second) + 1)

    def window(self, start: float, seconds: float) -> Stream:
        """The frames of a window; what lies outside the stream is absent.

        Args:
            start: Seconds.
            seconds: Length, as `Stream.cut` takes it.
        """
        spec = self._applied.specs[self.spec.name]
        if not len(self) or self._values is None:
            return Stream.absent(spec, seconds)
        if spec.rate == 0:
            return Stream(self._values, self.mask(0, len(self)), self.start)
        length = max(1, round(seconds * spec.rate))
        first = self._frame(start)
        inside = slice(max(first, self._kept), max(min(first + length, len(self)), self._kept))
        at = self.start + first / spec.rate
        mask = self.mask(inside.start, inside.stop)
        rows = self._values[inside.start - self._kept : inside.stop - self._kept]
        if len(mask) == length:
            return Stream(rows, mask, at)
        values = np.zeros((length, *spec.shape), self._values.dtype)
        there = np.zeros(length, bool)
        values[inside.start - first : inside.start - first + len(mask)] = rows
        there[inside.start - first : inside.start - first + len(mask)] = mask
        return Stream(values, there, at)

    def mask(self, first: int, last: int) -> np.ndarray:
        """(T,) bool, which of some frames of the stream are present."""
        first, last = max(first, 0), max(min(last, len(self)), max(first, 0))
        return np.frombuffer(bytes(self._masks[first:last]), bool)

    def around(self, start: float, end: float) -> Stream:
        """When the stream is there about some time, without its values."""
        rate = self.spec.rate
        if rate == 0:
            first, last = 0, len(self)
        else:
            first, last = max(self._frame(start) - 2, 0), self._frame(end) + 3
        mask = self.mask(first, last)
        at = self.start + (first / rate if rate else 0.0)
        return Stream(np.zeros((len(mask), 0), np.float32), mask, at)

    def whole(self) -> Stream:
        """When the stream is there, without its values."""
        mask = self.mask(0, len(self))
        return Stream(np.zeros((len(mask), 0), np.float32), mask, self.start)

    def drop(self, before: float) -> None:
        """Let go of the frames before a time."""
        if self._values is None or self.spec.rate == 0:
            return
        gone = min(max(self._frame(before) - self._kept, 0), len(self._values))
        self._values = self._values[gone:]
        self._kept += gone
