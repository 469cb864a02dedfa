"""Write a recording: images at their own times beside the sound of another one, or sound alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import soxr
from numpy.typing import NDArray

from affuse.media.audio import Samples, read_blocks
from affuse.media.probe import MediaInfo

_TICKS = 90_000  # per second, of the time stamps of the images
#: Rates in Hz that AAC knows; sound of another one is brought to the first.
_AAC = (48000, 96000, 88200, 64000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


def write_mp4(
    path: Path,
    pictures: Iterable[tuple[float, NDArray[np.uint8]]],
    size: tuple[int, int],
    fps: float,
    sound: MediaInfo | None = None,
) -> None:
    """Encode H.264 and AAC, image by image.

    Args:
        path: The `.mp4`.
        pictures: Rising seconds, and (H, W, 3) RGB; one at a time is held.
        size: H and W, both even.
        fps: About how many images come in a second; when they are shown is said by their times.
        sound: The recording whose sound goes with them, from its beginning; None for silence.

    Raises:
        BadInput: The sound cannot be decoded.
    """
    with av.open(str(path), "w") as container:
        rate = Fraction(fps).limit_denominator(1001)
        video: Any = container.add_stream("libx264", rate, {"preset": "veryfast", "crf": "20"})
        (video.height, video.width), video.pix_fmt = size, "yuv420p"
        video.codec_context.time_base = Fraction(1, _TICKS)
        blocks: Iterator[av.AudioFrame] = iter(())
        heard: Any = None
        if sound is not None:
            channels = 2 if sound.channels == 2 else 1
            target = sound.sample_rate if sound.sample_rate in _AAC else _AAC[0]
            heard = container.add_stream("aac", target, layout=_layout(channels))
            blocks = _sound_frames(sound, target, channels)
        block = next(blocks, None)
        last = -1
        for time, picture in pictures:
            while block is not None and (block.time or 0.0) <= time:  # beside it, for players
                container.mux(heard.encode(block))
                block = next(blocks, None)
            planes: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            last = max(round(time * _TICKS), last + 1)
            frame.pts, frame.time_base = last, Fraction(1, _TICKS)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        while block is not None:
            container.mux(heard.encode(block))
            block = next(blocks, None)
        if heard is not None:
            container.mux(heard.encode())


def encoded_mp3(samples: Samples, rate: int, bits: int) -> bytes:
    """Sound as MP3, which every browser plays.

    Args:
        samples: (N,) float32 mono, nominally -1 to 1.
        rate: Hz; one that MP3 knows, such as 22050 or 48000.
        bits: Per second.
    """
    file = BytesIO()
    with av.open(file, "w", format="mp3", options={"fflags": "bitexact"}) as container:
        stream: Any = container.add_stream("libmp3lame", rate, layout=_layout(1))
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout=_layout(1))
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


def _sound_frames(sound: MediaInfo, rate: int, channels: int) -> Iterator[av.AudioFrame]:
    position = 0
    for samples in _resampled(sound, rate, channels):
        if not len(samples):
            continue
        planes = np.ascontiguousarray(samples.reshape(len(samples), channels).T)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=_layout(channels))
        frame.sample_rate, frame.pts, frame.time_base = rate, position, Fraction(1, rate)
        position += len(samples)
        yield frame


def _resampled(sound: MediaInfo, rate: int, channels: int) -> Iterator[Samples]:
    blocks = read_blocks(sound.path, channels, sound.tracks)
    if rate == sound.sample_rate:
        yield from blocks
        return
    resampler = soxr.ResampleStream(sound.sample_rate, rate, channels, dtype="float32")
    for block in blocks:
        yield resampler.resample_chunk(block)
    end = np.zeros(0 if channels == 1 else (0, channels), np.float32)
    yield resampler.resample_chunk(end, last=True)


def _layout(channels: int) -> str:
    return "stereo" if channels == 2 else "mono"
