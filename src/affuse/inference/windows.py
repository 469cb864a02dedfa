"""The windows of streams that arrive in parts, each as soon as it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from affuse.features.stream import Stream
from affuse.inference.buffer import StreamBuffer
from affuse.inference.fixed import FixedStream
from affuse.models.applied import Applied
from affuse.tasks.presence import NEAR, Presence
from affuse.tasks.windows import Sample, WindowPlan

#: Gives the streams of a fixed span: name and number of a window -> stream.
Fixed = Callable[[str, int], Stream]


class NamedSample(Sample):
    """The streams of a window, by name.

    Attributes:
        name: What the random numbers of conditions depend on.
        recording: What it is a window of.
        start: Seconds in its recording.
    """

    name: str = ""
    recording: str = ""
    start: float = 0.0


@dataclass(frozen=True)
class Window:
    """A window whose streams are all there.

    Args:
        index: In its recording.
        sample: Its streams.
        shares: Modality -> share of it, within the recording, in which it is present.
    """

    index: int
    sample: NamedSample
    shares: Mapping[str, float]


class StreamWindows:
    """Cuts windows out of streams that are pushed part by part.

    Frames are held as long as a coming window needs them, and no longer.

    Args:
        applied: The model.
        plan: Where the windows lie.
        duration: Of the recording in seconds.
        name: Of the recording.
        fixed: Gives the streams of a fixed span, which are not pushed; a model that reads one
            needs it.

    Raises:
        ValueError: It is missing.
    """

    def __init__(
        self,
        applied: Applied,
        plan: WindowPlan,
        duration: float,
        name: str = "",
        fixed: Fixed | None = None,
    ) -> None:
        self._plan, self._duration, self._name = plan, duration, name
        self._specs = applied.spec.streams
        first, last = float(plan.starts[0]), float(plan.starts[-1]) + plan.seconds
        self._buffers = {
            key: StreamBuffer(spec, applied, first, last, name)
            for key, spec in self._specs.items()
            if spec.span is None
        }
        spans = [key for key, spec in self._specs.items() if spec.span is not None]
        if spans and fixed is None:
            raise ValueError(f"nothing gives the stream {spans[0]}, which has a fixed span")
        self._fixed = {
            key: FixedStream(spec, plan.starts.tolist(), partial(fixed, key))
            for key, spec in self._specs.items()
            if spec.span is not None and fixed is not None
        }
        self._next = 0

    def push(self, name: str, part: Stream) -> None:
        """Take consecutive frames of a stream.

        Args:
            name: Of the stream.
            part: (T, ...) frames after those that were pushed before; none where it is not there.

        Raises:
            AffuseError: A frame holds a number that is not finite.
        """
        self._buffers[name].push(part)

    def end(self, name: str | None = None) -> None:
        """Nothing more comes of a stream, or of any."""
        for key, buffer in self._buffers.items():
            buffer.ended |= name in (None, key)

    @property
    def held(self) -> int:
        """Frames of all streams that are held."""
        return sum(buffer.held for buffer in self._buffers.values())

    def ready(self) -> Iterator[Window]:
        """The windows that have become complete, in their order."""
        while self._next < len(self._plan.starts) and self._complete(self._next):
            index = self._next
            start, end = self._reach(index)
            sample = NamedSample()
            sample.name = self._plan.name_of(index, self._name)
            sample.recording = self._name
            sample.start = float(self._plan.starts[index])
            for key in self._specs:
                sample[key] = (
                    self._buffers[key].window(float(self._plan.starts[index]), self._plan.seconds)
                    if key in self._buffers
                    else self._fixed[key].take(index)
                )
            shares: dict[str, float] = {}
            for key, spec in self._specs.items():
                if spec.modality not in shares:
                    there = self._around(key, start, end)
                    presence = Presence(there.start, spec.rate, there.mask, self._duration)
                    shares[spec.modality] = presence.within(start, end)
            self._next += 1
            if self._next < len(self._plan.starts):
                for buffer in self._buffers.values():
                    buffer.drop(float(self._plan.starts[self._next]))
            yield Window(index, sample, shares)

    def present(self, name: str) -> Stream:
        """When a stream was there in what was pushed, without its values."""
        buffer = self._buffers.get(name)
        return self._fixed[name].present() if buffer is None else buffer.whole()

    def _reach(self, index: int) -> tuple[float, float]:
        """Start and end of the part of a window that lies within the recording, in seconds."""
        start = float(self._plan.starts[index])
        return max(start, 0.0), min(start + self._plan.seconds, self._duration)

    def _complete(self, index: int) -> bool:
        """Whether nothing that a window and its presence depend on is still to come."""
        _, end = self._reach(index)
        for buffer in self._buffers.values():
            near = max(NEAR, 1 / buffer.spec.rate) if buffer.spec.rate else 0.0
            last = float(self._plan.starts[index]) + self._plan.seconds
            if not buffer.ended and (end > self._duration - near or not buffer.reaches(last)):
                return False
        for stream in self._fixed.values():
            stream.reach(end)
        return True

    def _around(self, name: str, start: float, end: float) -> Stream:
        """When a stream is there about a part of the recording."""
        buffer = self._buffers.get(name)
        if buffer is None:
            return self._fixed[name].present(start, end)
        return buffer.around(start, end)


def share_left(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(B,) part of the present frames (B, T) of a stream that a condition leaves present.

    Args:
        before: (B, T) bool, present frames.
        after: (B, T) bool, those that are left.
    """
    count = before.sum(1)
    return np.asarray(np.where(count, (before & after).sum(1) / count.clip(1), 0.0))
