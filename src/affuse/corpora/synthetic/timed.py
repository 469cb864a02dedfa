"""Write a recording whose images are shown at given times."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

#: Suffix -> codec of the images and its options, codec of the sound and its sample format.
CODECS: dict[str, tuple[str, dict[str, str], str, str]] = {
    ".mp4": ("libx264", {"preset": "superfast"}, "aac", "fltp"),
    ".avi": ("mpeg4", {"b": "1500k"}, "pcm_s16le", "s16"),
}


def write_timed(
    path: Path,
    frames: Iterable[NDArray[Any]],
    size: tuple[int, int],
    stamps: NDArray[np.int64],
    base: Fraction,
    audio: NDArray[np.float32],
    audio_rate: int,
) -> None:
    """Encode images and sound, the same bytes every time.

    Args:
        path: Where to; its suffix, a key of CODECS, says how.
        frames: (H, W, 3) uint8 RGB each.
        size: H and W, both even.
        stamps: (N,) rising times of the images in units of `base`; `.avi` takes 0, 1, 2, ...
        base: In seconds.
        audio: (N,) float32 mono, -1 .. 1.
        audio_rate: Hz.
    """
    codec, options, sound_codec, sample_format = CODECS[path.suffix]
    fps = (len(stamps) - 1) / (int(stamps[-1]) * base)  # the mean, where it varies
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video: Any = container.add_stream(codec, fps.limit_denominator(1001), options)
        (video.height, video.width), video.pix_fmt = size, "yuv420p"
        video.codec_context.time_base = base
        video.codec_context.thread_count = 1  # the bytes would depend on the number of cores
        sound: Any = container.add_stream(sound_codec, audio_rate, layout="mono")
        blocks = deque(range(0, len(audio), audio_rate))
        for stamp, rgb in zip(stamps, frames, strict=True):
            while blocks and blocks[0] <= stamp * base * audio_rate:
                block = _block(audio, blocks.popleft(), audio_rate, sample_format)
                container.mux(sound.encode(block))
            planes: Any = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = int(stamp), base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for first in blocks:
            container.mux(sound.encode(_block(audio, first, audio_rate, sample_format)))
        container.mux(sound.encode())


def _block(audio: NDArray[np.float32], first: int, rate: int, sample_format: str) -> av.AudioFrame:
    """One second of sound, so that it comes to lie beside its images."""
    part: NDArray[Any] = audio[None, first : first + rate]
    if sample_format == "s16":
        part = np.round(part * 32767).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(part, format=sample_format, layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, first, Fraction(1, rate)
    return frame
