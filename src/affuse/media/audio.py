"""Sound of a recording: mono, at any rate, on the clock that the pictures share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import ArrayLike, NDArray

from affuse.corpora.clip import Tracks
from affuse.errors import Unusable
from affuse.media.channels import Samples, as_one
from affuse.media.counts import RESET
from affuse.media.probe import Recording, open_recording
from affuse.media.sounding import Levels, Span, Spans, within

JITTER = 0.015
"""Seconds by which time stamps may differ from the count of samples; a lost packet is longer."""
CONTEXT = 0.05
"""Seconds of sound that the resampler gets before and after a window."""
WARM_UP = 0.5
"""Seconds that a decoder gets before the window after a jump."""
LARGEST = 16.0
"""Size of a sample (24 dB above full scale) beyond which it is not believed."""
MOST_WRONG = 0.01
"""Share of samples that are absurd above which the sound is refused."""


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


@dataclass(frozen=True)
class Survey:
    """What is to be known of the sound of a whole recording beside its samples.

    Args:
        spans: As in `Sound`, in seconds of the recording.
        silences: (start, end) of its stretches that are below `SILENCE`.
        silent: Their share of the spans.
        notes: As in `Sound`.
    """

    spans: tuple[Span, ...]
    silences: tuple[Span, ...]
    silent: float
    notes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How much sound there is."""
        return sum(end - start for start, end in self.spans)


def read_audio(
    path: str | Path,
    rate: int,
    start: float | None = None,
    end: float | None = None,
    *,
    rounded_up: bool = False,
    tracks: Tracks | None = None,
) -> Samples | None:
    """The samples of `read_sound`, or None when the recording has no sound."""
    sound = read_sound(path, rate, start, end, rounded_up=rounded_up, tracks=tracks)
    return None if sound is None else sound.samples


def read_sound(
    path: str | Path,
    rate: int,
    start: float | None = None,
    end: float | None = None,
    *,
    rounded_up: bool = False,
    tracks: Tracks | None = None,
) -> Sound | None:
    """Decode the sound of a recording.

    Channels are averaged (`as_one`) and resampled with soxr (high quality). Where the sound begins
    later than the pictures, or pauses according to its time stamps, samples are zero.

    Args:
        path: The recording.
        rate: Of the result, in Hz.
        start: Beginning of the window, in seconds of the recording; None is the beginning.
        end: End of the window, in seconds of the recording; None is the end of the sound.
        rounded_up: Whether the number of samples is rounded up, as `librosa.load` does; a last one
            that the resampler does not give is zero.
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
        # where time stamps are coarser than samples, only counting from the beginning is exact
        exact = recording.audio.time_base * recording.audio.rate <= 1
        frames = recording.decode(recording.audio, (start or 0.0) - WARM_UP if exact else 0.0)
        first = next(frames)
        native = first.sample_rate
        # the window in native samples, with a context of whole samples at both rates
        step = rate // math.gcd(rate, native)
        lead = math.ceil(CONTEXT * rate / step) * step if start else 0
        begin = round((start or 0.0) * native) - lead * native // rate
        stop = None if end is None else round((end + CONTEXT) * native)
        resampler = soxr.ResampleStream(native, rate, 1, dtype="float32", quality="HQ")
        clock = _clock_of(recording, first)
        spans = Spans(native)
        placed = spans.noted(as_one(_placed(recording, frames, first, clock), native))
        chunks, heard = [], 0
        for chunk in _window(placed, begin, stop):
            chunks.append(resampler.resample_chunk(chunk))
            heard += len(chunk)
        chunks.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        seconds = None if end is None else max(0.0, end - (start or 0.0))
        samples = np.concatenate(chunks)[lead:]
        if not rounded_up:
            samples = samples if seconds is None else samples[: round(seconds * rate)]
        else:
            heard -= lead * native // rate
            heard = heard if seconds is None else min(heard, round(seconds * native))
            length = math.ceil(max(heard, 0) * (rate / native))
            samples = np.pad(samples[:length], (0, max(0, length - len(samples))))
        return Sound(samples, rate, spans.between(start or 0.0, end), clock.notes(recording.path))


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
        frames = recording.decode(recording.audio)
        first = next(frames)
        clock, spans = _clock_of(recording, first), Spans(first.sample_rate)
        levels = Levels(first.sample_rate)
        placed = _placed(recording, frames, first, clock)
        for position, chunk in spans.noted(as_one(placed, first.sample_rate)):
            levels.add(position, chunk)
        notes = clock.notes(recording.path)
        return Survey(spans.between(0.0, None), levels.silences, levels.silent, notes)


def read_blocks(path: str | Path, channels: int, tracks: Tracks | None = None) -> Iterator[Samples]:
    """The sound of a recording at its own rate, in blocks that follow each other from time 0.

    Where the sound begins later than the pictures, or pauses, samples are zero.

    Args:
        path: A recording with sound.
        channels: 1 for their mean (`as_one`), or as many as there are.
        tracks: Which of its tracks are wanted; by default the file decides.

    Yields:
        (N,), or (N, channels) for more than one.

    Raises:
        BadInput: The file cannot be opened.
        Unusable: Its sound cannot be decoded.
    """
    with open_recording(path, tracks) as recording:
        frames = recording.decode(recording.audio)
        first = next(frames)
        placed = _placed(recording, frames, first, _clock_of(recording, first))
        yield from _window(as_one(placed, first.sample_rate) if channels == 1 else placed, 0, None)


class SoundClock:
    """Says where frames of sound belong: they follow each other unless their time stamps disagree.

    Args:
        rate: Hz of the samples; frames of another rate are resampled.
        duration: Seconds beyond which a time stamp is not believed.
        channels: How many there are; frames of another number have their mean in all.

    Attributes:
        wrong: Samples so far that were not finite, or beyond `LARGEST`.
    """

    def __init__(self, rate: int, duration: float = math.inf, channels: int = 1) -> None:
        self.rate, self.duration, self.channels = rate, duration, channels
        self.wrong = 0
        self._position: int | None = None
        self._count, self._first_wrong = 0, 0.0

    def place(self, frame: Any, time: float | None) -> tuple[int, Samples]:
        """Samples of a frame, and the number of the first of them since time 0.

        Args:
            frame: Decoded sound.
            time: Seconds of the recording at which it begins by its time stamp, or None.

        Returns:
            The number, and (N,) or (N, channels).
        """
        samples, wrong = repaired(_samples(frame))
        if samples.shape[1] != self.channels:  # some change their layout
            mean = samples.mean(1, dtype=np.float32, keepdims=True)
            samples = np.repeat(mean, self.channels, 1)
        if self.channels == 1:
            samples = samples[:, 0]
        if frame.sample_rate != self.rate:  # some streams change their rate on the way
            samples = soxr.resample(samples, frame.sample_rate, self.rate)
        position = self._position
        if time is not None:
            stamped = round(time * self.rate)
            gap = math.inf if position is None else (stamped - position) / self.rate
            credible = gap > -RESET and stamped <= self.duration * self.rate
            if position is None or (abs(gap) > JITTER and credible):
                position = stamped
        position = position or 0
        self._position = position + len(samples)
        if len(wrong) and not self.wrong:
            self._first_wrong = position / self.rate + wrong[0] / frame.sample_rate
        self._count, self.wrong = self._count + len(samples), self.wrong + len(wrong)
        return position, samples

    def notes(self, path: Path) -> tuple[str, ...]:
        """What was wrong with the samples up to here and was put right.

        Raises:
            Unusable: Too many of them were.
        """
        what, when = f"not a number, or beyond ±{LARGEST:g}", f"{self._first_wrong:.2f} s"
        if self.wrong > MOST_WRONG * self._count:
            share = self.wrong / self._count
            raise Unusable(path, f"{share:.0%} of its sound, from {when} on, is {what}")
        if self.wrong == 1:
            return (f"one sample of its sound, at {when}, is {what}; filled in",)
        if self.wrong:
            return (
                f"{self.wrong} samples of its sound, the first at {when}, are {what}; filled in",
            )
        return ()


def _clock_of(recording: Recording, first: Any) -> SoundClock:
    duration = recording.duration or math.inf
    return SoundClock(first.sample_rate, duration, first.layout.nb_channels)


def _placed(
    recording: Recording, frames: Iterator[Any], first: Any, clock: SoundClock
) -> Iterator[tuple[int, Samples]]:
    """Yield chunks with the native sample of the recording at which each begins."""
    for frame in chain([first], frames):
        yield clock.place(frame, recording.time_of(frame))


def _window(
    placed: Iterator[tuple[int, Samples]], begin: int, stop: int | None
) -> Iterator[Samples]:
    """Yield the samples from `begin` to `stop` once each; silence where there are none."""
    position = begin
    for place, chunk in placed:
        if stop is not None and position >= stop:
            return
        if place > position:
            silence = (place if stop is None else min(place, stop)) - position
            yield np.zeros((silence, *chunk.shape[1:]), np.float32)
            position += silence
        chunk = chunk[position - place : None if stop is None else max(0, stop - place)]
        yield chunk
        position += len(chunk)


def _samples(frame: Any) -> Samples:
    """Samples of an audio frame (N, channels), -1 to 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    return np.asarray(samples.T, np.float32)


def repaired(samples: Samples) -> tuple[Samples, NDArray[np.intp]]:
    """Samples (N, C) of which none is absurd, and the numbers of those that were.

    What is not finite, or beyond `LARGEST`, lies on the line between its neighbours.
    """
    good = np.abs(samples) <= LARGEST
    if good.all():
        return samples, np.zeros(0, np.intp)
    samples, places = np.where(good, samples, np.float32(0)), np.arange(len(samples))
    for channel, known in zip(samples.T, good.T, strict=True):
        if known.any():
            channel[~known] = np.interp(places[~known], places[known], channel[known])
    return samples, np.flatnonzero(~good.all(1))
