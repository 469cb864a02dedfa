"""Write a clip: Sorenson H.263 and MP3 in Flash video."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

DELAY = 1105  # samples, LAME's 576 and a decoder's 529


def write_flv(
    path: Path,
    frames: Iterable[NDArray[Any]],
    size: tuple[int, int],
    fps: Fraction,
    audio: NDArray[np.float32] | None,
    audio_rate: int,
) -> None:
    """Encode pictures, and sound if there is any, the same bytes every time.

    An encoder of MP3 begins with DELAY samples of silence, and Flash video cannot say that they
    are to be left out. They take the place of the sound's own first samples here, so that sound
    and pictures both begin at 0 and the rest of the sound is where it belongs.

    Args:
        path: Where to.
        frames: (H, W, 3) uint8 RGB each.
        size: H and W, both even.
        fps: Frames per second.
        audio: (N,) float32 mono, longer than DELAY.
        audio_rate: Hz, one that Flash video knows: 44100, 22050 or 11025.
    """
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        fine = {"flags": "+bitexact", "qmax": "5"}
        video = container.add_stream("flv1", rate=fps, options=fine)
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # the bytes would depend on the number of cores
        sound = None
        if audio is not None:
            sound = container.add_stream("libmp3lame", rate=audio_rate, layout="mono")
        for number, rgb in enumerate(frames):
            planes: NDArray[Any] = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / fps
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None and sound is not None:
            samples = av.AudioFrame.from_ndarray(audio[None, DELAY:], format="fltp", layout="mono")
            samples.rate, samples.pts = audio_rate, DELAY
            container.mux(sound.encode(samples))
            container.mux(sound.encode())
