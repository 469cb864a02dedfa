"""Sound of a recording: mono, at any rate, on the clock that the frames share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from affuse.corpora.clip import Tracks
from affuse.media.channels import Mixer, Samples
from affuse.media.loudness import Loudness, LoudnessMeter
from affuse.media.probe import Recording, open_recording
from affuse.media.sound_clock import Joiner, SoundClock
from affuse.media.sounding import Levels, Span, Spans, between, within

CONTEXT = 0.05
"""Seconds of sound that the resampler gets before and after a window."""
WARM_UP = 0.5
"""Seconds that a decoder gets before the window after a jump."""
AT_ONCE = 0.5
"""Seconds of decoded sound that are handed on together."""


@dataclass(frozen=True)
class Sound:
    """The sound of a recording, or of a window of it.

    Args:
        samples: (N,) float32, nominally -1 to 1, sample i at i / rate seconds of the window.
        rate: Hz.
        spans: (start, end) in seconds of the window between which there is sound: from where it
            begins to where it ends, but for pauses of its time stamps. Elsewhere samples are zero.
        notes: What is wrong with it and was put right.
    """

    samples: Samples
    rate: int
    spans: tuple[Span, ...]
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How much sound there is."""
        return sum(end - start for start, end in self.spans)

    def at(self, times: ArrayLike) -> NDArray[np.bool_]:
        """Whether there is sound at some seconds (N,), or within `EDGE` of them."""
        return within(self.spans, times)

    def between(self, start: float, end: float) -> Sound:
        """What there is of it between some seconds of the window."""
        first, last = (round(second * self.rate) for second in (start, end))
        spans = between(self.spans, start, end)
        return Sound(self.samples[first:last], self.rate, spans, self.notes)


@dataclass(frozen=True)
class Survey:
    """What is to be known of the sound of a whole recording beside its samples.

    Args:
        spans: As in `Sound`, in seconds of the recording.
        silences: (start, end) of its stretches that are below `SILENCE`.
        silent: Their share of the spans.
        notes: As in `Sound`.
        loudness: How loud it is over time.
    """

    spans: tuple[Span, ...]
    silences: tuple[Span, ...]
    silent: float
    notes: tuple[str, ...]
    loudness: Loudness

    @property
    def seconds(self) -> float:
        """How much sound there is."""
        return sum(end - start for start, end in self.spans)


class Tap:
    """The sound of a window at a rate of its own, resampled with soxr (high quality) as it comes.

    Where there is no sound samples are zero.

    Args:
        rate: Of the result, in Hz.
        start: Beginning of the window, in seconds of the recording; None is the beginning.
        end: End of the window, in seconds of the recording; None is the end of the sound.
        rounded_up: Whether the number of samples is rounded up, as `librosa.load` does; a last one
            that the resampler does not give is zero.
        sink: Gets (N,) float32, one part after the other.
    """

    def __init__(
        self,
        rate: int,
        start: float | None,
        end: float | None,
        rounded_up: bool,
        sink: Callable[[Samples], None],
    ) -> None:
        self.rate, self.start, self.end, self.rounded_up = rate, start or 0.0, end, rounded_up
        self._sink = sink
        self._given = self._heard = 0

    def begin(self, native: int) -> None:
        """Get ready for sound of a rate in Hz."""
        # the window in native samples, with a context of whole samples at both rates
        step = self.rate // math.gcd(self.rate, native)
        self._lead = math.ceil(CONTEXT * self.rate / step) * step if self.start else 0
        self._own = self._lead * native // self.rate  # of the heard samples, those before it
        self._native, self._skip = native, self._lead
        self._position = round(self.start * native) - self._own
        self._stop = None if self.end is None else round((self.end + CONTEXT) * native)
        self._resampler = soxr.ResampleStream(native, self.rate, 1, dtype="float32", quality="HQ")

    @property
    def full(self) -> bool:
        """Whether the window has ended."""
        return self._stop is not None and self._position >= self._stop

    def push(self, place: int, samples: Samples) -> None:
        """Take samples (N,), the first of which has a number since time 0."""
        if self.full:
            return
        if place > self._position:
            until = place if self._stop is None else min(place, self._stop)
            self._resample(np.zeros(until - self._position, np.float32))
        stop = None if self._stop is None else max(0, self._stop - place)
        self._resample(samples[self._position - place : stop])

    def finish(self) -> None:
        """Give what is left."""
        self._give(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        if self.rounded_up:
            self._sink(np.zeros(max(0, self._length() - self._given), np.float32))

    def _resample(self, samples: Samples) -> None:
        self._position += len(samples)
        self._heard += len(samples)
        self._give(self._resampler.resample_chunk(samples))

    def _length(self) -> int:
        """Samples of the result, so far as they are known."""
        seconds = None if self.end is None else max(0.0, self.end - self.start)
        if self.rounded_up:
            heard = max(self._heard - self._own, 0)
            heard = heard if seconds is None else min(heard, round(seconds * self._native))
            return math.ceil(heard * (self.rate / self._native))
        return self._given + (1 << 62) if seconds is None else round(seconds * self.rate)

    def _give(self, samples: Samples) -> None:
        skipped = min(self._skip, len(samples))
        self._skip -= skipped
        samples = samples[skipped : skipped + max(0, self._length() - self._given)]
        self._given += len(samples)
        if len(samples):
            self._sink(samples)


class Listener:
    """Takes the decoded sound of a recording once, for all that want some of it.

    Channels are averaged (`Mixer`). Where the sound begins later than the frames, or pauses
    according to its time stamps, nothing comes.

    Args:
        recording: Open; it says its length.
        taps: Those who want it resampled.
        levels: Whether silence is looked for, and loudness measured.
    """

    def __init__(self, recording: Recording, taps: Sequence[Tap], levels: bool = False) -> None:
        self._recording, self._taps = recording, taps
        self._clock: SoundClock | None = None
        self._looks = levels

    @property
    def full(self) -> bool:
        """Whether nobody wants more."""
        return self._clock is not None and not self._looks and all(tap.full for tap in self._taps)

    def hear(self, frame: Any) -> None:
        """Take a frame of sound, one after the other."""
        if self._clock is None:
            native = frame.sample_rate
            self._clock = clock_of(self._recording, frame)
            self._spans, self._mixer, self._levels = Spans(native), Mixer(native), Levels(native)
            self._meter, self._joiner = LoudnessMeter(native), Joiner(round(AT_ONCE * native))
            for tap in self._taps:
                tap.begin(native)
        placed = self._clock.place(frame, self._recording.time_of(frame))
        self._mix(self._joiner.push(*placed))

    def _mix(self, joined: Iterator[tuple[int, Samples]]) -> None:
        for position, samples in joined:
            for place, part in self._mixer.push(position, samples):
                self._take(place, part)

    def _take(self, place: int, part: Samples) -> None:
        self._spans.note(place, len(part))
        if self._looks:
            self._levels.add(place, part)
            self._meter.add(place, part)
        for tap in self._taps:
            tap.push(place, part)

    def finish(self) -> Survey:
        """Say what came.

        Raises:
            Unusable: Too much of it was absurd.
        """
        assert self._clock is not None
        self._mix(self._joiner.finish())
        for place, part in self._mixer.finish():
            self._take(place, part)
        for tap in self._taps:
            tap.finish()
        notes = self._clock.notes(self._recording.path)
        levels = self._levels
        spans, loudness = self._spans.between(0.0, None), self._meter.loudness
        return Survey(spans, levels.silences, levels.silent, notes, loudness)

    def spans(self, start: float | None, end: float | None) -> tuple[Span, ...]:
        """Where in a window there was sound, in seconds since its start."""
        return self._spans.between(start or 0.0, end)


def read_sound(
    path: str | Path,
    rate: int,
    start: float | None = None,
    end: float | None = None,
    *,
    rounded_up: bool = False,
    tracks: Tracks | None = None,
) -> Sound | None:
    """Decode the sound of a recording, or of a window of it.

    Args:
        path: The recording.
        rate: As in `Tap`.
        start: As in `Tap`.
        end: As in `Tap`.
        rounded_up: As in `Tap`.
        tracks: Which of its tracks are wanted; by default the file decides.

    Returns:
        The sound, less than the window when it ends there. None when the recording has no sound.

    Raises:
        BadInput: The file cannot be opened.
        Unusable: Its sound cannot be decoded, or too much of it is not finite.
    """
    with open_recording(path, tracks) as recording:
        if recording.audio is None:
            return None
        parts: list[Samples] = []
        listener = Listener(recording, [Tap(rate, start, end, rounded_up, parts.append)])
        for frame in recording.decode(recording.audio, sound_start(recording, start)):
            listener.hear(frame)
            if listener.full:
                break
        notes = listener.finish().notes
        samples = np.concatenate([np.zeros(0, np.float32), *parts])
        return Sound(samples, rate, listener.spans(start, end), notes)


def sound_start(recording: Recording, start: float | None) -> float:
    """The second from which sound is decoded so that a window of it is exact."""
    # where time stamps are coarser than samples, only counting from the beginning is exact
    exact = recording.audio.time_base * recording.audio.rate <= 1
    return (start or 0.0) - WARM_UP if exact else 0.0


def survey(path: str | Path, tracks: Tracks | None = None) -> Survey | None:
    """Decode the sound of a recording once, without keeping it.

    Args:
        path: The recording.
        tracks: Which of its tracks are wanted; by default the file decides.

    Raises:
        BadInput: The file cannot be opened.
        Unusable: As in `read_sound`.
    """
    with open_recording(path, tracks) as recording:
        if recording.audio is None:
            return None
        listener = Listener(recording, [], levels=True)
        for frame in recording.decode(recording.audio):
            listener.hear(frame)
        return listener.finish()


def read_blocks(path: str | Path, channels: int, tracks: Tracks | None = None) -> Iterator[Samples]:
    """The sound of a recording at its own rate, in blocks that follow each other from time 0.

    Where the sound begins later than the frames, or pauses, samples are zero.

    Args:
        path: A recording with sound.
        channels: 1 for their mean (`Mixer`), or as many as there are.
        tracks: Which of its tracks are wanted; by default the file decides.

    Yields:
        (N,), or (N, channels) for more than one.

    Raises:
        BadInput: The file cannot be opened.
        Unusable: Its sound cannot be decoded.
    """
    with open_recording(path, tracks) as recording:
        yield from _gapless(_placed(recording, channels))


def _placed(recording: Recording, channels: int) -> Iterator[tuple[int, Samples]]:
    """Chunks with the native sample of the recording at which each begins."""
    clock, mixer = None, None
    for frame in recording.decode(recording.audio):
        if clock is None or mixer is None:
            clock, mixer = clock_of(recording, frame), Mixer(frame.sample_rate)
        placed = clock.place(frame, recording.time_of(frame))
        yield from mixer.push(*placed) if channels == 1 else [placed]
    if mixer is not None:
        yield from mixer.finish()


def _gapless(placed: Iterator[tuple[int, Samples]]) -> Iterator[Samples]:
    """Every sample from time 0 on once; silence where there are none."""
    position = 0
    for place, chunk in placed:
        if place > position:
            yield np.zeros((place - position, *chunk.shape[1:]), np.float32)
            position = place
        chunk = chunk[position - place :]
        yield chunk
        position += len(chunk)


def clock_of(recording: Recording, first: Any) -> SoundClock:
    """The clock for the sound of a recording, given its first frame."""
    duration = recording.duration or math.inf
    return SoundClock(first.sample_rate, duration, first.layout.nb_channels)
