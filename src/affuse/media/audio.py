"""Sound of a recording: mono, at any rate, on the clock that the pictures share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

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
    path: str | Path, rate: int, start: float | None = None, end: float | None = None
) -> Samples | None:
    """Decode the sound of a recording.

    Channels are averaged and resampled with soxr (high quality). Where the sound begins later than
    the pictures, or pauses according to its time stamps, there is silence.

    Args:
        path: The recording.
        rate: Of the result, in Hz.
        start: Beginning of the window, in seconds of the recording; None is the beginning.
        end: End of the window, in seconds of the recording; None is the end of the sound.

    Returns:
        (N,), nominally -1 to 1, sample i at `start + i / rate` seconds; less than the window when
        the sound ends in it. None when the recording has no sound.

    Raises:
        BadInput: The file cannot be opened, or its sound cannot be decoded.
    """
    with open_recording(path) as recording:
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
        chunks = [
            resampler.resample_chunk(chunk)
            for chunk in _window(_placed(recording, frames, first), begin, stop)
        ]
        chunks.append(resampler.resample_chunk(np.zeros(0, np.float32), last=True))
        wanted = None if end is None else lead + max(0, round((end - (start or 0.0)) * rate))
        return np.concatenate(chunks)[lead:wanted]


def _placed(
    recording: Recording, frames: Iterator[Any], first: Any
) -> Iterator[tuple[int, Samples]]:
    """Yield mono chunks (N,) with the native sample of the recording at which each begins.

    Samples follow each other unless the time stamps tell of a gap or an overlap.
    """
    native = first.sample_rate
    position = None
    frame: Any = first
    while frame is not None:
        mono = _mono(frame)
        if frame.sample_rate != native:  # some streams change their rate on the way
            mono = soxr.resample(mono, frame.sample_rate, native)
        if frame.time is not None:
            stamped = round((frame.time - recording.origin) * native)
            gap = math.inf if position is None else (stamped - position) / native
            credible = gap > -RESET and stamped <= (recording.duration or math.inf) * native
            if position is None or (abs(gap) > JITTER and credible):
                position = stamped
        position = position or 0
        yield position, mono
        position += len(mono)
        frame = next(frames, None)


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
            yield np.zeros(silence, np.float32)
            position += silence
        chunk = chunk[position - place : None if stop is None else max(0, stop - place)]
        yield chunk
        position += len(chunk)


def _mono(frame: Any) -> Samples:
    """Mean of the channels of an audio frame, -1 to 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    if samples.dtype == np.uint8:
        samples = (samples.astype(np.float32) - 128) / 128
    elif samples.dtype.kind == "i":
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    mono: Samples = samples.mean(0, dtype=np.float32)
    return mono
