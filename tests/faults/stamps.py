"""The same recording with other time stamps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from affuse.media.probe import probe
from affuse.media.video import read_frames
from tests.media.recordings import grey, read_audio, write_recording

RATE = 16000
SECONDS = 3.0
FPS = 25.0


def flashing(count: int, fps: float = FPS) -> list[tuple[float, np.ndarray]]:
    """Images of which each is told from its neighbours by its grey level."""
    return [(i / fps, grey(40 + 150 * (i % 7) // 6)) for i in range(count)]


def clicking(seconds: float, rate: int, every: float = 0.5) -> np.ndarray:
    """Quiet noise with a click at every half second."""
    sound = np.random.default_rng(0).normal(0, 0.01, round(seconds * rate)).astype(np.float32)
    for at in np.arange(every / 2, seconds, every):
        first = round(at * rate)
        sound[first : first + round(0.002 * rate)] = 0.8
    return sound[None]


def plain(path: Path, seconds: float = SECONDS, rate: int = 44100, **options: Any) -> Path:
    """An undamaged recording with images and sound."""
    pictures = flashing(round(seconds * FPS))
    return write_recording(path, pictures, clicking(seconds, rate), rate, **options)


Move = Callable[[str, float], float | None]


def restamped(source: Path, target: Path, move: Move) -> Path:
    """Copy packets, each with its stamps moved.

    Args:
        source: A recording.
        target: Where the copy goes.
        move: Kind and seconds of a packet -> seconds to be added, or None to leave it out.
    """
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        streams = {s.index: outside.add_stream_from_template(s) for s in inside.streams}
        packets = []
        for packet in inside.demux():
            if packet.size == 0 or (packet.dts is None and packet.pts is None):
                continue
            stamp = packet.pts if packet.dts is None else packet.dts
            moved = move(packet.stream.type, float(stamp * packet.time_base))
            if moved is None:
                continue
            ticks = round(moved / packet.time_base)
            packet.pts += ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
            packet.stream = streams[packet.stream_index]
            packets.append(packet)
        for packet in packets:
            outside.mux_one(packet)
    return target


def clicks(path: Path) -> np.ndarray:
    """Seconds at which a recording clicks."""
    sound = read_audio(path, RATE)
    assert sound is not None
    loud = np.flatnonzero(np.abs(sound) > 0.3)
    return loud[np.diff(loud, prepend=-RATE) > 0.1 * RATE] / RATE


def shown(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and grey levels of the images of a recording."""
    frames = [(frame.time, float(frame.rgb().mean())) for frame in read_frames(path)]
    times, levels = np.array(frames).T
    return times, levels


def assert_alike(path: Path, twin: Path, within: float = 1 / FPS) -> None:
    """A recording has the length, the images and the clicks of another, at the same times."""
    assert abs(probe(path).duration - probe(twin).duration) <= within
    assert np.abs(clicks(path) - clicks(twin)).max() <= within
    times, levels = shown(path)
    expected, these = shown(twin)
    assert len(times) == len(expected)
    assert np.abs(times - expected).max() <= within
    assert np.abs(levels - these).max() <= 3
