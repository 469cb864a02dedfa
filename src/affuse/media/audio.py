"""Sound of a recording: mono, at any rate, on the clock that the pictures share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.media.probe import Recording, open_recording

JITTER = 0.015
"""Seconds by which time stamps may differ from the count of samples; a lost packet is longer."""
RESET = 1.0
"""Seconds by which time stamps that go back mean a new count, not an overlap."""
CONTEXT = 0.05
"""Seconds of sound that the resampler gets before and after a window."""
WARM_UP = 0.5
"""Seconds that a decoder gets before the window after a jump."""

Samples = NDArray[np.float32]


def read_audio(
    path: str | Path,
    rate: int,
    start: float | None = None,
    end: float | None = None,
    *,
    rounded_up: bool = False,
    tracks: Tracks | None = None,
) -> Samples | None:
    """Decode the sound of a recording.

    Channels are averaged and resampled with soxr (high quality). Where the sound begins later than
    the pictures, or pauses according to its time stamps, there is silence.

    Args:
        path: The recording.
        rate: Of the result, in Hz.
        start: Beginning of the window, in seconds of the recording; None is the beginning.
        end: End of the window, in seconds of the recording; None is the end of the sound.
        rounded_up: Whether the number of samples is rounded up, as `librosa.load` does; a last one
            that the resampler does not give is zero.
        tracks: Which of its tracks are wanted; by default the file decides.

    Returns:
        (N,), nominally -1 to 1, sample i at `start + i / rate` seconds; less than the window when
        the sound ends in it. None when the recording has no sound.

    Raises:
        BadInput: The file cannot be opened, or its sound cannot be decoded.
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
        chunks, heard = [], 0
        for chunk in _window(_placed(recording, frames, first), begin, stop):
            chunks.append(resampler.resample_chunk(chunk))
            heard += len(chunk)
        chunks.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        seconds = None if end is None else max(0.0, end - (start or 0.0))
        samples = np.concatenate(chunks)[lead:]
        if not rounded_up:
            return samples if seconds is None else samples[: round(seconds * rate)]
        heard -= lead * native // rate
        heard = heard if seconds is None else min(heard, round(seconds * native))
        length = math.ceil(max(heard, 0) * (rate / native))
        return np.pad(samples[:length], (0, max(0, length - len(samples))))


def read_blocks(path: str | Path, channels: int, tracks: Tracks | None = None) -> Iterator[Samples]:
    """The sound of a recording at its own rate, in blocks that follow each other from time 0.

    Where the sound begins later than the pictures, or pauses, there is silence.

    Args:
        path: A recording with sound.
        channels: 1 for their mean, or as many as there are.
        tracks: Which of its tracks are wanted; by default the file decides.

    Yields:
        (N,), or (N, channels) for more than one.

    Raises:
        BadInput: The file cannot be opened, or its sound cannot be decoded.
    """
    with open_recording(path, tracks) as recording:
        frames = recording.decode(recording.audio)
        first = next(frames)
        placed = _placed(recording, frames, first, channels)
        yield from _window(placed, 0, None)


class SoundClock:
    """Says where frames of sound belong: they follow each other unless their time stamps disagree.

    Args:
        rate: Hz of the samples; frames of another rate are resampled.
        duration: Seconds beyond which a time stamp is not believed.
        channels: 1 for their mean, or as many as there are.
    """

    def __init__(self, rate: int, duration: float = math.inf, channels: int = 1) -> None:
        self.rate, self.duration, self.channels = rate, duration, channels
        self._position: int | None = None

    def place(self, frame: Any, time: float | None) -> tuple[int, Samples]:
        """Samples of a frame, and the number of the first of them since time 0.

        Args:
            frame: Decoded sound.
            time: Seconds of the recording at which it begins by its time stamp, or None.

        Returns:
            The number, and (N,) or (N, channels).
        """
        samples = _mono(frame) if self.channels == 1 else _samples(frame)
        if self.channels > 1 and samples.shape[1] != self.channels:  # some change their layout
            samples = np.repeat(_mono(frame)[:, None], self.channels, 1)
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
        return position, samples


def _placed(
    recording: Recording, frames: Iterator[Any], first: Any, channels: int = 1
) -> Iterator[tuple[int, Samples]]:
    """Yield chunks with the native sample of the recording at which each begins."""
    duration = recording.duration or math.inf
    clock = SoundClock(first.sample_rate, duration, channels)
    yield clock.place(first, recording.time_of(first))
    for frame in frames:
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


def _mono(frame: Any) -> Samples:
    """Mean of the channels of an audio frame (N,)."""
    mono: Samples = _samples(frame).mean(1, dtype=np.float32)
    return mono
