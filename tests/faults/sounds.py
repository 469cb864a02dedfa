"""Recordings with known sound, whole and damaged."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import soundfile
from scipy import signal

from affuse.corpora.synthetic.voice import SAMPLE_RATE, Manner, Speaker, speak
from affuse.media.video import read_frames
from tests.media.recordings import TICKS, grey, write_recording

RATE = 16000


def voice(seconds: float, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """(N,) float32: somebody who talks without a pause, with a little noise, at -20 dB."""
    random = np.random.default_rng(seed)
    syllables = [("k", "a"), ("t", "i"), ("s", "o"), ("b", "@")]
    speaker = Speaker.random(random, female=bool(seed % 2))
    said = speak(speaker, Manner(), syllables, seconds + 0.6, random).audio
    said = signal.resample_poly(said, rate, SAMPLE_RATE)[round(0.3 * rate) :]
    said = said[: round(seconds * rate)]
    said = 0.1 * said / np.sqrt(np.mean(said**2)) + random.normal(0, 0.002, len(said))
    return np.asarray(said, np.float32)


def write_wav(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    """(N,) or (N, C) as 32-bit floats, whatever they are."""
    soundfile.write(path, sound, rate, "FLOAT")
    return path


def write_pieces(
    path: Path,
    pieces: list[tuple[float, np.ndarray]],
    pictures: tuple[float, float] | None = None,
    rate: int = RATE,
) -> Path:
    """Sound (second, (N,)) at its time stamps, and grey images of a stretch at 25 Hz."""
    container: Any
    with av.open(str(path), "w") as container:
        video = None
        if pictures is not None:
            video = container.add_stream("libx264", rate=25)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            video.codec_context.time_base = Fraction(1, TICKS)
        audio = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        if video is not None and pictures is not None:
            for number in range(round(pictures[0] * 25), round(pictures[1] * 25)):
                image = av.VideoFrame.from_ndarray(grey(100), format="rgb24")
                image.pts, image.time_base = number * TICKS // 25, Fraction(1, TICKS)
                container.mux(video.encode(image))
            container.mux(video.encode())
        for start, sound in pieces:
            whole = np.clip(np.rint(sound * 32767), -32768, 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = round(start * rate)
            container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path


def with_garbage(source: Path, path: Path, kind: str) -> Path:
    """A recording again, all of whose packets of `video` or `audio` are garbage."""
    data = bytearray(source.read_bytes())
    container: Any
    with av.open(str(source)) as container:
        for packet in container.demux(getattr(container.streams, kind)[0]):
            if packet.size:
                garbage = bytes((37 * k + 11) % 256 for k in range(packet.size))
                data[packet.pos : packet.pos + packet.size] = garbage
    path.write_bytes(data)
    return path


@lru_cache(maxsize=1)
def face_pictures() -> list[tuple[float, np.ndarray]]:
    """Two seconds of a face that the detector finds, at 25 Hz."""
    from affuse.corpora.synthetic.affwild2 import synthesise

    with TemporaryDirectory() as folder:
        synthesise(Path(folder), videos=1, seconds=(2.5, 2.5))
        (video,) = (Path(folder) / "videos").glob("*.mp4")
        pictures = [frame.rgb(320) for frame in read_frames(video)]
    return [(k / 25, pictures[k]) for k in range(50)]


def face_video(
    path: Path,
    seconds: float,
    sound: np.ndarray | None,
    start: float = 0.0,
    sound_start: float = 0.0,
) -> Path:
    """The face again and again for some seconds, beside sound (N,) at `RATE`."""
    shown = face_pictures()
    count = round(seconds * 25)
    pictures = [(start + k / 25, shown[k % len(shown)][1]) for k in range(count)]
    return write_recording(
        path,
        pictures,
        None if sound is None else sound[None],
        rate=RATE,
        sound_start=sound_start,
        audio_codec="pcm_s16le",
    )
