"""Small recordings with known content."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from affuse.media.audio import read_sound

TICKS = 12000
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def read_audio(path: str | Path, *window: Any, **options: Any) -> np.ndarray | None:
    """The samples of `read_sound`, or None when the recording has no sound."""
    sound = read_sound(path, *window, **options)
    return None if sound is None else sound.samples


def write_recording(
    path: Path,
    pictures: list[tuple[float, np.ndarray]] | None = None,
    sound: np.ndarray | None = None,
    rate: int = 48000,
    sound_start: float = 0.0,
    video_codec: str = "libx264",
    audio_codec: str = "aac",
    pixels: str = "yuv420p",
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode images (seconds, (H, W, 3) RGB) and sound (channels, N) float."""
    container: Any
    with av.open(str(path), "w") as container:
        if pictures is not None:
            height, width = pictures[0][1].shape[:2]
            video = container.add_stream(video_codec, rate=25, options=options or {})
            video.width, video.height, video.pix_fmt = width, height, pixels
            video.codec_context.time_base = Fraction(1, TICKS)
            if rotation:
                video.set_display_rotation(rotation)
        if sound is not None:
            audio = container.add_stream(audio_codec, rate=rate)
            audio.layout = LAYOUTS[len(sound)]
        if pictures is not None:
            for time, image in pictures:
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
                container.mux(video.encode(frame))
            container.mux(video.encode())
        if sound is not None:
            block = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(sound, np.float32), format="fltp", layout=LAYOUTS[len(sound)]
            )
            block.sample_rate = rate
            block.pts, block.time_base = round(sound_start * rate), Fraction(1, rate)
            container.mux(audio.encode(block))
            container.mux(audio.encode())
    return path


def grey(level: int, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def counting(count: int, fps: float = 25.0, start: float = 0.0) -> list[tuple[float, np.ndarray]]:
    """Images that get brighter one by one."""
    return [(start + i / fps, grey(20 + 200 * i // count)) for i in range(count)]


def beep(seconds: float, at: float, rate: int, channels: int = 1) -> np.ndarray:
    """Silence with a click of two milliseconds."""
    sound = np.zeros((channels, round(seconds * rate)), np.float32)
    first = round(at * rate)
    sound[:, first : first + round(0.002 * rate)] = 0.8
    return sound


def onset(samples: np.ndarray, rate: int) -> float:
    """Time in seconds at which the loudest part begins."""
    return float(np.argmax(np.abs(samples) > np.abs(samples).max() / 2)) / rate
