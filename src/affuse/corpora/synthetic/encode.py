"""Write a clip: images and sound in MP4, AVI or Flash video, or sound in WAV or FLAC."""

from __future__ import annotations

import wave
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class _Codecs:
    """How a container is filled.

    Args:
        pictures: Codec.
        options: Of it.
        sound: Codec.
        samples: Sample format that the codec takes.
        delay: Samples of silence with which the encoder begins and which the container cannot say
            are to be left out. They take the place of the sound's own first samples, so that
            sound and images both begin at 0 and the rest of the sound is where it belongs.
    """

    pictures: str
    options: Mapping[str, str]
    sound: str
    samples: str
    delay: int = 0


_FINE = {"flags": "+bitexact", "qmax": "5"}
_CODECS = {
    ".mp4": _Codecs("libx264", {"preset": "superfast"}, "aac", "fltp"),
    # an AVI has no room for the delays of H.264, whose images would come one too late
    ".avi": _Codecs("mpeg4", _FINE, "pcm_s16le", "s16"),
    # 576 samples of LAME and 529 of a decoder
    ".flv": _Codecs("flv1", _FINE, "libmp3lame", "fltp", delay=1105),
}


def write_video(
    path: Path,
    frames: Iterable[NDArray[Any]],
    size: tuple[int, int],
    fps: Fraction,
    audio: NDArray[np.float32] | None = None,
    audio_rate: int = 48_000,
) -> None:
    """Encode images, and sound if there is any, the same bytes every time.

    Args:
        path: Where to; `.mp4` (H.264, AAC), `.avi` (MPEG-4, PCM) or `.flv` (Sorenson H.263, MP3).
        frames: (H, W, 3) uint8 RGB each.
        size: H and W, both even.
        fps: Frames per second.
        audio: (N,) float32 mono.
        audio_rate: Hz; Flash video knows 44100, 22050 and 11025.
    """
    codecs = _CODECS[path.suffix]
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video: Any = container.add_stream(codecs.pictures, rate=fps, options=dict(codecs.options))
        video.height, video.width = size
        video.pix_fmt = "yuv420p"
        video.codec_context.thread_count = 1  # the bytes would depend on the number of cores
        sound: Any = None
        if audio is not None:
            sound = container.add_stream(codecs.sound, rate=audio_rate, layout="mono")
        for number, rgb in enumerate(frames):
            planes: NDArray[Any] = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, 1 / fps
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            heard: NDArray[Any] = audio[codecs.delay :]
            heard = _pcm(heard) if codecs.samples == "s16" else heard
            samples = av.AudioFrame.from_ndarray(heard[None], codecs.samples, "mono")
            samples.rate, samples.pts = audio_rate, codecs.delay
            container.mux(sound.encode(samples))
            container.mux(sound.encode())


def write_wav(path: Path, audio: NDArray[np.float32], rate: int) -> None:
    """Write (N,) float32 mono sound as 16-bit PCM."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(_pcm(audio).tobytes())


def write_flac(path: Path, audio: NDArray[np.float32], rate: int) -> None:
    """Write (N,) float32 mono sound as 16-bit FLAC, the same bytes every time."""
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        sound: Any = container.add_stream("flac", rate=rate, layout="mono", format="s16")
        sound.codec_context.flags |= av.codec.context.Flags.bitexact
        samples = av.AudioFrame.from_ndarray(_pcm(audio)[None], "s16", "mono")
        samples.rate = rate
        container.mux(sound.encode(samples))
        container.mux(sound.encode())


def _pcm(audio: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.round(np.clip(audio, -1, 1) * 32767).astype("<i2")
