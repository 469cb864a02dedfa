"""The sound of a source that is read once, for all that want some of it at once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from affuse.media.audio import Tap
from affuse.media.channels import LiveMixer, Samples
from affuse.media.sound_clock import LARGEST, SoundClock
from affuse.media.sounding import Levels, Span, Spans, within

log = logging.getLogger(__name__)

#: Seconds for which it is remembered where there was sound, and where it was silent.
_REMEMBERED = 10.0
_RATE = 48000  # Hz of sound of which nothing is known


class LiveSound:
    """Takes decoded sound as it comes, and resamples it for those who want it.

    Channels are averaged as `Mixer` does it; those of opposite phase are turned once a quarter of
    a second of them has come.

    Args:
        source: What a warning names.
        keep: Seconds for which spans and silences are asked about.

    Attributes:
        end: Seconds up to which sound has come.
    """

    def __init__(self, source: str, keep: float) -> None:
        self.source, self._keep = source, keep + _REMEMBERED
        self.end = 0.0
        self._taps: list[Tap] = []
        self._clock: SoundClock | None = None
        self._given_up = 0.0
        self._expected = _RATE, 1  # rate in Hz and channels, as far as the source says

    def expect(self, rate: int, channels: int) -> None:
        """The source says that it has sound of a rate in Hz, of so many channels."""
        self._expected = rate or _RATE, channels or 1

    def tap(self, rate: int, sink: Callable[[Samples], None]) -> None:
        """Let a sink have the samples (N,) float32 at a rate in Hz, one part after the other."""
        self._taps.append(Tap(rate, None, None, False, sink))

    def hear(self, frame: Any, time: float | None) -> tuple[float, float]:
        """Take a frame of sound.

        Args:
            frame: Decoded, one after the other.
            time: Seconds of the source at which it begins by its time stamp, or None.

        Returns:
            When it begins and ends, in seconds of the source.
        """
        counted = self._clock or self._begin(frame.sample_rate, frame.layout.nb_channels)
        rate, before = counted.rate, counted.wrong
        place, samples = counted.place(frame, time)
        wrong = counted.wrong - before
        if wrong and not before:
            log.warning(
                "%s: its sound has samples that are not a number, or beyond ±%g; filled in",
                self.source,
                LARGEST,
            )
        begin, end = place / rate, (place + len(samples)) / rate
        self.end = max(self.end, end)
        if wrong <= len(samples) / 2:  # what is made up is not sound
            place, mixed = self._mixer.push(place, samples)
            late = max(0, round(self._given_up * rate) - place)
            self._spans.note(place + late, len(mixed) - late)
            self._levels.add(place, mixed)
            for tap in self._taps:
                tap.push(place, mixed)
        self._forget(end - self._keep)
        return begin, end

    def give_up(self, until: float) -> None:
        """Wait no longer for what came before a second."""
        if until <= max(self.end, self._given_up):
            return
        counted, self._given_up = self._clock or self._begin(*self._expected), until
        for tap in self._taps:
            tap.push(round(until * counted.rate), np.zeros(0, np.float32))
        self._forget(until - self._keep)

    def _begin(self, rate: int, channels: int) -> SoundClock:
        """Get ready for sound."""
        self._clock = SoundClock(rate, channels=channels)
        self._spans, self._levels, self._mixer = Spans(rate), Levels(rate), LiveMixer(rate)
        for tap in self._taps:
            tap.begin(rate)
        return self._clock

    def finish(self) -> None:
        """The last of it has come."""
        if self._clock is not None:
            for tap in self._taps:
                tap.finish()

    def at(self, times: ArrayLike) -> NDArray[np.bool_]:
        """(N,) bool, whether there is sound at some seconds (N,), or near to them."""
        return within(self._spans.between(0.0, None) if self._clock else (), times)

    def between(self, start: float, end: float) -> tuple[Span, ...]:
        """(start, end) in seconds since a start between which there is sound."""
        return self._spans.between(start, end) if self._clock else ()

    @property
    def came(self) -> bool:
        """Whether there was any."""
        return self._clock is not None

    @property
    def silences(self) -> tuple[Span, ...]:
        """(start, end) in seconds of the stretches that are silent."""
        return self._levels.silences if self._clock else ()

    def _forget(self, before: float) -> None:
        self._spans.forget(before)
        self._levels.forget(before)
