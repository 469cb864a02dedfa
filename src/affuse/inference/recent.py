"""The last seconds of the streams of a source that is read once."""

from __future__ import annotations

import math

import numpy as np

from affuse.features.arriving import Arriving
from affuse.features.stream import Stream
from affuse.inference.buffer import StreamBuffer
from affuse.models.applied import Applied

#: Rows beyond the end of a window that are taken to be as the last one is.
_NEXT = 2
_FOREVER = 1e9  # seconds


class RecentRows(StreamBuffer):
    """Holds the rows of a stream as long as the last window needs them, and no longer.

    Args:
        stream: Gives the rows.
        applied: The model.
        name: Of the source, for messages.
    """

    def __init__(self, stream: Arriving, applied: Applied, name: str) -> None:
        super().__init__(stream.spec, applied, -_FOREVER, _FOREVER, name)
        self._stream = stream
        self._begin: float | None = None
        self._gone = 0  # rows
        self._taken = 0

    def _frame(self, second: float) -> int:
        """The row at a time, of those that are held; as of all that there were."""
        begin = self.start if self._begin is None else self._begin
        return round((second - begin) * self.spec.rate) - self._gone

    def collect(self, until: float, ended: bool) -> None:
        """Take what has come; see `Arriving.take`."""
        if self.ended:
            return
        part = self._stream.take(until, ended)
        self.ended = ended
        if len(part.mask):
            self.push(part)
            self._begin = self.start if self._begin is None else self._begin

    def complete(self, until: float) -> bool:
        """Whether all rows before a second are here."""
        return self.ended or len(self) >= self._frame(until)

    def forget(self, before: float) -> None:
        """Let go of the rows before a second."""
        gone = min(max(self._frame(before), 0), len(self))
        if not gone or self._values is None or self._begin is None:
            return
        self._values = self._values[gone:].copy()
        del self._masks[:gone]
        self._gone += gone
        self.start = self._begin + self._gone / self.spec.rate

    def before(self, until: float, start: float, seconds: float) -> Stream:
        """A window, in which what comes from a second on is absent; see `window`."""
        stream = self.window(start, seconds)
        own = max(0, self._frame(until) - self._frame(start))
        if self.spec.rate and stream.mask[own:].any():
            values, mask = stream.values.copy(), stream.mask.copy()
            values[own:], mask[own:] = 0, False
            return Stream(values, mask, stream.start)
        return stream

    def past(self, second: float) -> Stream:
        """The rows before a second that were not taken before; of rows that are embedded none."""
        last = self._gone + min(max(self._frame(second), 0), len(self))
        first = max(self._taken, self._gone)
        self._taken = max(first, last)
        if self._values is None:
            return Stream.absent(self.spec, 1.0)
        rows = slice(first - self._gone, self._taken - self._gone)
        return Stream(self._values[rows], self.mask(rows.start, rows.stop), self.start)

    def there(self, until: float) -> Stream:
        """When the stream is there up to a second, without its values, and as if it went on."""
        mask = self.mask(0, min(len(self), max(self._frame(until), 0)))
        there = Stream(np.zeros((len(mask), 0), np.float32), mask, self.start)
        return there if self.ended else continued(there, self.spec.rate, until)


def continued(there: Stream, rate: float, until: float) -> Stream:
    """When a stream is there, as if it went on beyond a second as it was."""
    if not len(there.mask) or not rate:
        return there
    more = max(0, math.ceil((until - there.start) * rate) + _NEXT - len(there.mask))
    mask = np.append(there.mask, np.repeat(there.mask[-1], more))
    return Stream(np.zeros((len(mask), 0), np.float32), mask, there.start)
