"""A stream of a fixed span: computed for each window by itself, not cut out of a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from affuse.features.stream import Stream, StreamSpec

#: Seconds by which the windows after one that are taken for its presence begin before its end.
_AFTER = 1.0


class FixedStream:
    """The windows of a stream of a fixed span.

    Args:
        spec: Of the stream.
        starts: (W,) seconds of the windows.
        give: Gives the stream of a window.
    """

    def __init__(
        self, spec: StreamSpec, starts: Sequence[float], give: Callable[[int], Stream]
    ) -> None:
        self.spec, self._starts, self._give = spec, starts, give
        self._made: dict[int, Stream] = {}
        self._next = 0
        self._there = bytearray()  # of the whole recording: a byte per frame

    def reach(self, end: float) -> None:
        """Take the windows that say when the stream is there up to a time in seconds."""
        while self._next < len(self._starts) and self._starts[self._next] <= end + _AFTER:
            stream = self._give(self._next)
            if not len(stream.mask):
                stream = Stream.absent(self.spec, self.spec.span or 0.0)
            self._made[self._next] = stream
            self._add(stream, float(self._starts[self._next]))
            self._next += 1

    def _add(self, stream: Stream, start: float) -> None:
        rate = self.spec.rate or 1.0
        places = round((max(start, 0.0) + stream.start) * rate) + np.flatnonzero(stream.mask)
        if len(places):
            self._there.extend(bytes(max(0, int(places.max()) + 1 - len(self._there))))
        for place in places.tolist():
            self._there[place] = 1

    def take(self, window: int) -> Stream:
        """The stream of a window, once."""
        return self._made.pop(window)

    def present(self, start: float = 0.0, end: float = np.inf) -> Stream:
        """When the stream is there in the windows that were taken, without its values.

        Args:
            start: Seconds of the recording, about which it is asked.
            end: Seconds.
        """
        rate = self.spec.rate or 1.0
        first = max(int(start * rate) - 2, 0)
        last = len(self._there) if end == np.inf else int(end * rate) + 3
        mask = np.frombuffer(bytes(self._there[first:last]) or b"\0", bool)
        return Stream(np.zeros((len(mask), 0), np.float32), mask, first / rate)
