"""When in a recording there was sound, and a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from affuse.features.stream import Stream, StreamSpec
from affuse.media.audio import Survey

#: Seconds by which a modality may begin later than the recording, or end earlier, or those between
#: two of its frames where these are more: there is as much of it as there can be.
NEAR = 0.1


@dataclass(frozen=True)
class Presence:
    """When in a recording a modality was there.

    Args:
        start: Seconds of the first frame.
        rate: Frames per second in Hz; 0 for one value for the whole recording.
        present: (T,) bool.
        duration: Seconds of the recording; None where it ends with the last frame.
        silent: Of sound, the share of it that is below -60 dB of full scale; None where not known.
        silences: (start, end) in seconds of these stretches.
    """

    start: float
    rate: float
    present: np.ndarray
    duration: float | None = None
    silent: float | None = None
    silences: tuple[tuple[float, float], ...] = ()

    @property
    def spans(self) -> list[tuple[float, float]]:
        """(start, end) in seconds of the stretches of the recording in which it was there."""
        last = self.start + (len(self.present) - 0.5) / self.rate if self.rate else 1.0
        duration = last if self.duration is None else self.duration
        if self.rate == 0:
            return [(0.0, duration)] if self.present.any() else []
        places = self.start + (np.array(stretches(self.present)) - 0.5) / self.rate
        spans = [(max(0.0, a), min(duration, b)) for a, b in places.tolist()]
        spans = [(a, b) for a, b in spans if a < b]
        near = max(NEAR, 1 / self.rate)
        if spans and spans[0][0] <= near:
            spans[0] = 0.0, spans[0][1]
        if spans and spans[-1][1] >= duration - near:
            spans[-1] = spans[-1][0], duration
        return spans

    @property
    def share(self) -> float:
        """Share of the recording in which it was there."""
        duration = self.duration or sum(max(span) for span in self.spans[-1:])
        return self.within(0.0, duration) if duration else float(self.present.any())

    def within(self, start: float, end: float) -> float:
        """Share of the time between two moments in which it was there."""
        there = sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.spans)
        return min(1.0, there / (end - start)) if end > start else 0.0

    def at(self, times: np.ndarray) -> np.ndarray:
        """(N,) bool at times (N,) in seconds; False outside the recording."""
        return _inside(self.spans, times)

    def silent_at(self, times: np.ndarray) -> np.ndarray:
        """(N,) bool at times (N,) in seconds: there, but silent."""
        return self.at(times) & _inside(self.silences, times)

    @property
    def summary(self) -> str:
        """The shares in words: `100%, of which 40% silent`."""
        silent = round(100 * (self.silent or 0)) if self.share else 0
        return f"{self.share:.0%}" + (f", of which {silent}% silent" if silent else "")


def _inside(spans: Sequence[tuple[float, float]], times: np.ndarray) -> np.ndarray:
    there = np.zeros(len(times), bool)
    for start, end in spans:
        there |= (times >= start - 1e-6) & (times <= end + 1e-6)
    return there


def stretches(flags: np.ndarray) -> list[tuple[int, int]]:
    """(first, one after the last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def presence_of(
    stream: Stream, spec: StreamSpec, duration: float, sound: Survey | None
) -> Presence:
    """When in a recording the modality of a stream was there.

    Args:
        stream: Of the whole recording.
        spec: Its spec.
        duration: Of the recording in seconds.
        sound: What was found in its sound.
    """
    presence = Presence(stream.start, spec.rate, stream.mask, duration)
    if sound is None or spec.modality != "audio":
        return presence
    return replace(presence, silent=sound.silent, silences=sound.silences)
