"""Recordings of one content in containers as the world makes them, drawn by hypothesis.

`Container` says how a file is made; `write` makes it. The plain twin of a container has the same
codecs and the same content, and nothing else that is unusual.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Disposition
from hypothesis import strategies as st
from numpy.typing import NDArray

Images = list[NDArray[np.uint8]]

#: Suffix -> codecs of images and of sound that its players know.
CODECS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mp4": (("libx264", "mpeg4", "libx265"), ("aac", "libmp3lame", "alac")),
    "mov": (("libx264", "mjpeg"), ("aac", "pcm_s16le", "pcm_f32le")),
    "mkv": (
        ("libx264", "libvpx", "ffv1", "mjpeg"),
        ("aac", "libopus", "flac", "pcm_s16le", "libmp3lame"),
    ),
    "webm": (("libvpx",), ("libopus",)),
    "avi": (("mpeg4", "mjpeg"), ("libmp3lame", "pcm_s16le")),
    "ts": (("libx264", "mpeg2video"), ("aac", "mp2")),
    "flv": (("libx264", "flv"), ("aac", "libmp3lame")),
}
#: Where stamps, matrices and flags are kept as they are given.
STAMPED, TURNED, FLAGGED = {"mkv", "ts"}, {"mp4", "mov"}, {"mkv"}
_OPTIONS = {
    "libx264": {"crf": "12", "preset": "ultrafast"},
    "libx265": {"crf": "12", "preset": "ultrafast", "x265-params": "log-level=none"},
    "libvpx": {"crf": "4", "b": "4M", "deadline": "realtime", "cpu-used": "8"},
}
_RATES = {"libopus": (48000,), "libmp3lame": (32000, 44100, 48000), "mp2": (32000, 44100, 48000)}
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}
#: Encoders that write the shape of pixels into what they encode.
SHAPED = {"libx264", "libx265", "mpeg4"}
#: Of the content, in Hz.
FPS, RATE = 25, 16000


@dataclass(frozen=True)
class Content:
    """What is seen and heard.

    Args:
        images: At `FPS`, (H, W, 3) RGB; width and height divide by 8.
        sound: (N,) float32 at `RATE`, as long as the images.
    """

    images: Images
    sound: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        return len(self.images) / FPS


@dataclass(frozen=True)
class Container:
    """How a file is made.

    Args:
        suffix: Of the file.
        video: Encoder of the images.
        audio: Encoder of the sound.
        fps: Images per second.
        rate: Of the sound in Hz.
        channels: Of the sound: 1, 2 or 6.
        turn: Degrees counter-clockwise by which a player turns the stored images.
        flip: Whether it mirrors them after that.
        pixel: Width of a stored pixel over its height.
        detail: The same, of the pixels that the content had before; for twins.
        start: Seconds by which all stamps are later.
        jump: From when on, and by how much, all stamps are later, in seconds.
        lone: Seconds by which the stamps of the sound alone are later.
        silent: Where an audio track without sound lies beside the real one: `first` or `last`.
        cover: Whether an image is attached.
        opposite: Whether the second channel is the first one inverted.
        kept: Share of the bytes that is there.
    """

    suffix: str
    video: str
    audio: str
    fps: Fraction = Fraction(FPS)
    rate: int = 48000
    channels: int = 1
    turn: int = 0
    flip: bool = False
    pixel: Fraction = Fraction(1)
    detail: Fraction = Fraction(1)
    start: float = 0.0
    jump: tuple[float, float] | None = None
    lone: float = 0.0
    silent: str = ""
    cover: bool = False
    opposite: bool = False
    kept: float = 1.0

    @property
    def plain(self) -> Container:
        """The same codecs and content, and a player has nothing to think about."""
        usual = Container(self.suffix, self.video, self.audio, self.fps, self.rate, self.channels)
        return replace(usual, detail=self.pixel)

    def __str__(self) -> str:
        usual = self.plain
        odd = {k: v for k, v in vars(self).items() if v != getattr(usual, k)}
        return f"{self.suffix} {self.video} {self.audio} {float(self.fps):.4g} Hz {odd}"


@st.composite
def containers(draw: Any) -> Container:
    """A container with up to four unusual things about it."""
    suffix = draw(st.sampled_from(sorted(CODECS)))
    videos, audios = CODECS[suffix]
    video, audio = draw(st.sampled_from(videos)), draw(st.sampled_from(audios))
    rates = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(30), Fraction(50)]
    flv = suffix == "flv"
    hertz = (44100,) if flv else _RATES.get(audio, (16000, 22050, 44100, 48000))
    made = Container(
        suffix,
        video,
        audio,
        draw(st.sampled_from(rates)),
        draw(st.sampled_from(hertz)),
        draw(st.sampled_from((1, 2) if flv or audio in ("libmp3lame", "mp2") else (1, 2, 6))),
    )
    hours = st.floats(0.1, 30.0).map(lambda x: round(x * 3600, 3))
    odd: dict[str, Any] = {"kept": st.floats(0.3, 0.95)}
    if suffix in TURNED:
        odd |= {"turn": st.sampled_from((90, 180, 270)), "flip": st.just(True)}
    if video in SHAPED:
        odd |= {"pixel": st.sampled_from((Fraction(4, 3), Fraction(3, 4), Fraction(2)))}
    if suffix in STAMPED:
        # MPEG-TS counts to 26.5 hours
        odd |= {"start": hours if suffix == "mkv" else hours.map(lambda x: x / 2)}
        odd |= {"jump": st.tuples(st.floats(0.3, 1.7), hours), "lone": hours}
    if suffix in FLAGGED:
        odd |= {"silent": st.sampled_from(("first", "last")), "cover": st.just(True)}
    if made.channels == 2:
        odd |= {"opposite": st.just(True)}
    chosen = set(draw(st.lists(st.sampled_from(sorted(odd)), min_size=1, max_size=4)))
    if "jump" in chosen:  # together they can put parts of one beside parts of the other
        chosen -= {"lone"}
    return replace(made, **{name: draw(odd[name]) for name in sorted(chosen)})


def write(made: Container, content: Content, path: Path) -> Path:
    """Write the content as a container says.

    Args:
        made: The container.
        content: The content.
        path: Without a suffix.

    Returns:
        The file.
    """
    path = path.with_suffix(f".{made.suffix}")
    options = {"movie_timescale": "90000"} if made.suffix in TURNED else {}
    container: Any
    with av.open(str(path), "w", options=options) as container:
        silence = _track(container, made) if made.silent == "first" else None
        sound = _track(container, made)
        silence = _track(container, made) if made.silent == "last" else silence
        pictures = _picture_stream(container, made, content)
        if silence is not None:
            silence.disposition, sound.disposition = Disposition(0), Disposition.default
        if made.cover:
            image = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))[1].tobytes()
            cover = container.add_attachment("cover.jpg", "image/jpeg", image)
            assert cover is not None
        packets = [*_pictures(pictures, made, content), *_sound(sound, made, content.sound)]
        if silence is not None:
            packets += _sound(silence, made, np.zeros_like(content.sound))
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            container.mux(packet)
    if made.kept < 1:
        data = path.read_bytes()
        path.write_bytes(data[: round(made.kept * len(data))])
    return path


def _track(container: Any, made: Container) -> Any:
    track = container.add_stream(made.audio, rate=made.rate, layout=_LAYOUTS[made.channels])
    if made.audio in ("aac", "libmp3lame", "mp2", "libopus"):
        track.bit_rate = 192000 if made.rate >= 32000 else 64000
    return track


def _picture_stream(container: Any, made: Container, content: Content) -> Any:
    stream = container.add_stream(made.video, rate=made.fps, options=_OPTIONS.get(made.video, {}))
    height, width = _stored(content.images[0], made).shape[:2]
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuvj420p" if made.video == "mjpeg" else "yuv420p"
    if made.video in ("mpeg4", "mpeg2video", "flv", "mjpeg"):
        stream.bit_rate = 8_000_000
    turned = made.pixel if made.turn % 180 == 0 else 1 / made.pixel
    stream.codec_context.sample_aspect_ratio = turned
    if made.turn or made.flip:
        stream.set_display_rotation(made.turn, hflip=made.flip)
    return stream


def _stored(image: NDArray[np.uint8], made: Container) -> NDArray[np.uint8]:
    """The image as it is stored so that a player shows the given one."""
    if made.detail != 1:
        size = image.shape[1], image.shape[0]
        image = cv2.resize(_narrowed(image, made.detail), size, interpolation=cv2.INTER_LINEAR)
    small = _narrowed(image, made.pixel)
    small = small[:, ::-1] if made.flip else small
    return np.ascontiguousarray(np.rot90(small, -made.turn // 90))


def _narrowed(image: NDArray[np.uint8], pixel: Fraction) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    if pixel > 1:
        width = round(width / pixel / 2) * 2
    elif pixel < 1:
        height = round(height * pixel / 2) * 2
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _later(made: Container, seconds: float, sound: bool) -> float:
    """Seconds by which the stamp of a moment is later."""
    jump = made.jump[1] if made.jump is not None and seconds >= made.jump[0] else 0.0
    return made.start + jump + (made.lone if sound else 0.0)


def _stamped(packets: list[Any], made: Container, sound: bool) -> Iterator[Any]:
    for packet in packets:
        if packet.pts is None:
            continue
        base = packet.time_base
        ticks = round(_later(made, float(packet.pts * base), sound) / base)
        packet.pts += ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        yield packet


def _pictures(stream: Any, made: Container, content: Content) -> Iterator[Any]:
    packets: list[Any] = []
    for number in range(round(content.seconds * made.fps)):
        at = min(int(number / made.fps * FPS + Fraction(1, 2)), len(content.images) - 1)
        frame = av.VideoFrame.from_ndarray(_stored(content.images[at], made), format="rgb24")
        frame.pts, frame.time_base = number, 1 / made.fps
        packets += stream.encode(frame)
    return _stamped(packets + stream.encode(), made, False)


def _sound(stream: Any, made: Container, sound: NDArray[np.float32]) -> Iterator[Any]:
    import soxr

    mono = soxr.resample(sound, RATE, made.rate).astype(np.float32)
    channels = np.repeat(mono[None], made.channels, 0)
    if made.opposite:
        channels[1] *= -1
    block = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(channels), format="fltp", layout=_LAYOUTS[made.channels]
    )
    block.sample_rate, block.pts, block.time_base = made.rate, 0, Fraction(1, made.rate)
    packets: list[Any] = [*stream.encode(block), *stream.encode()]
    return _stamped(packets, made, True)
