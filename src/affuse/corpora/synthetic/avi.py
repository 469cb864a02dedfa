"""Write a clip: MPEG-4 and PCM in AVI."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray


def write_avi(
    path: Path,
    frames: Iterable[NDArray[Any]],
    size: tuple[int, int],
    fps: Fraction,
    audio: NDArray[np.float32],
    audio_rate: int,
) -> None:
    """Encode pictures and sound, the same bytes every time.

    Pictures are MPEG-4 part 2: an AVI has no room for the delays of H.264, whose pictures would
    come one too late.

    Args:
        path: Where to.
        frames: (H, W, 3) uint8 RGB each.
        size: H and W, both even.
        fps: Frames per second.
        audio: (N,) float32 mono, kept as 16-bit PCM.
        audio_rate: Hz.
    """
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        fine = {"flags": "+bitexact", "qmax": "5"}
        video = container.add_stream("mpeg4", rate=fps, options=fine)
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # the bytes would depend on the number of cores
        sound = container.add_stream("pcm_s16le", rate=audio_rate, layout="mono")
        for number, rgb in enumerate(frames):
            planes: NDArray[Any] = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / fps
            container.mux(video.encode(frame))
        container.mux(video.encode())
        whole = np.round(np.clip(audio, -1, 1) * 32767).astype("<i2")
        samples = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        samples.rate, samples.pts = audio_rate, 0
        container.mux(sound.encode(samples))
        container.mux(sound.encode())
