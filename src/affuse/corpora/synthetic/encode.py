"""Write a clip: H.264 and AAC in MP4, or PCM in WAV."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray


def write_mp4(
    path: Path,
    frames: Iterable[NDArray[Any]],
    size: tuple[int, int],
    fps: Fraction,
    audio: NDArray[np.float32] | None = None,
    audio_rate: int = 48_000,
) -> None:
    """Encode pictures, and sound if there is any, the same bytes every time.

    Args:
        path: Where to.
        frames: (H, W, 3) uint8 RGB each.
        size: H and W, both even.
        fps: Frames per second.
        audio: (N,) float32 mono.
        audio_rate: Hz.
    """
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("libx264", rate=fps, options={"preset": "superfast"})
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # the bytes would depend on the number of cores
        sound = None
        if audio is not None:
            sound = container.add_stream("aac", rate=audio_rate, layout="mono")
        for number, rgb in enumerate(frames):
            planes: NDArray[Any] = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / fps
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None and sound is not None:
            samples = av.AudioFrame.from_ndarray(audio[None], format="fltp", layout="mono")
            samples.rate, samples.pts = audio_rate, 0
            container.mux(sound.encode(samples))
            container.mux(sound.encode())


def write_wav(path: Path, audio: NDArray[np.float32], rate: int) -> None:
    """Write (N,) float32 mono sound as 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.round(np.clip(audio, -1, 1) * 32767).astype("<i2").tobytes())
