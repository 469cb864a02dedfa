"""Lengths and times come from what is in a file, whatever its header and its stamps say."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.sound import LogMel
from affuse.media.live import Live
from affuse.media.probe import probe
from affuse.media.source import open_source
from affuse.media.timestamps import picture_times
from affuse.media.video import read_frames
from tests.faults.stamps import (
    FPS,
    SECONDS,
    assert_alike,
    clicking,
    clicks,
    flashing,
    plain,
    restamped,
    shown,
)
from tests.media.recordings import counting, read_audio, write_recording

HOUR = 3600.0
DAY = 86400.0
WRAP = 2**33 / 90000  # seconds after which the clock of a transport stream begins anew
MIDDLE = SECONDS / 2


def avi(path: Path, fps: int = 25, sound: np.ndarray | None = None) -> Path:
    """Images that are counted, beside sound."""
    container: Any
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=fps)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = None
        if sound is not None:
            audio = container.add_stream("pcm_s16le", rate=16000, layout="mono")
        for k, (_, image) in enumerate(flashing(round(SECONDS * FPS))):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = k
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None and sound is not None:
            block = av.AudioFrame.from_ndarray(
                (sound * 32767).astype(np.int16), format="s16", layout="mono"
            )
            block.sample_rate = 16000
            container.mux(audio.encode(block))
            container.mux(audio.encode())
    return path


def patched(source: Path, target: Path, change: Callable[[bytearray], None]) -> Path:
    content = bytearray(source.read_bytes())
    change(content)
    target.write_bytes(content)
    return target


@pytest.mark.parametrize("says", [DAY * 1000, 100 * HOUR * 1000, 1.0, float("nan"), -5.0])
def test_the_length_in_a_matroska_header(tmp_path: Path, says: float) -> None:
    twin = plain(tmp_path / "plain.mkv")

    def change(content: bytearray) -> None:
        at = content.index(b"\x44\x89\x88")
        content[at + 3 : at + 11] = struct.pack(">d", says)

    path = patched(twin, tmp_path / "says.mkv", change)
    assert_alike(path, twin)
    stream = LogMel().extract(Clip("one", audio=path))
    assert stream is not None
    assert abs(len(stream.mask) - 50 * SECONDS) <= 3


@pytest.mark.parametrize("box", [b"mvhd", b"tkhd", b"mdhd"])
def test_the_lengths_in_a_quicktime_header(tmp_path: Path, box: bytes) -> None:
    twin = plain(tmp_path / "plain.mov", audio_codec="pcm_s16le")
    offset = {b"mvhd": 20, b"tkhd": 24, b"mdhd": 20}[box]

    def change(content: bytearray) -> None:
        at = content.find(box)
        while at > 0:
            content[at + offset : at + offset + 4] = b"\x7f\xff\xff\xff"
            at = content.find(box, at + 4)

    assert_alike(patched(twin, tmp_path / "says.mov", change), twin)


def _says(micros: int | None = None, frames: int | None = None) -> Callable[[bytearray], None]:
    """Change the frame rate and the number of frames that an AVI says."""

    def change(content: bytearray) -> None:
        main, stream = content.index(b"avih") + 8, content.index(b"strh") + 8
        if micros is not None:
            struct.pack_into("<I", content, main, micros)
            struct.pack_into("<II", content, stream + 20, micros, 1_000_000)
        if frames is not None:
            struct.pack_into("<I", content, main + 16, frames)
            struct.pack_into("<I", content, stream + 32, frames)

    return change


@pytest.mark.parametrize("micros", [0, 1, 1000, 2_000_000, 1_000_000_000, 4_294_967_295])
def test_the_frame_rate_in_an_avi_header(tmp_path: Path, micros: int) -> None:
    twin = avi(tmp_path / "plain.avi", sound=clicking(SECONDS, 16000))
    path = patched(twin, tmp_path / "says.avi", _says(micros=micros))
    assert_alike(path, twin)
    assert probe(path).fps == pytest.approx(FPS, rel=0.05)


@pytest.mark.parametrize("frames", [0, 1, 90_000, 4_294_967_295])
def test_the_number_of_frames_in_an_avi_header(tmp_path: Path, frames: int) -> None:
    twin = avi(tmp_path / "plain.avi", sound=clicking(SECONDS, 16000))
    assert_alike(patched(twin, tmp_path / "says.avi", _says(frames=frames)), twin)


@pytest.mark.parametrize("micros", [1, 1_000_000_000])
def test_the_frame_rate_of_pictures_alone(tmp_path: Path, micros: int) -> None:
    path = patched(avi(tmp_path / "plain.avi"), tmp_path / "says.avi", _says(micros=micros))
    assert probe(path).duration == pytest.approx(SECONDS, abs=1 / FPS)
    np.testing.assert_allclose(
        [frame.time for frame in read_frames(path)], np.arange(75) / FPS, atol=1 / FPS
    )


@pytest.mark.parametrize("rate", [0, 1, 300, 3_000_000, 4_294_967_295])
def test_an_absurd_sample_rate_is_one_line(tmp_path: Path, rate: int) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", clicking(SECONDS, 16000)[0], 16000, "PCM_16")

    def change(content: bytearray) -> None:
        struct.pack_into("<II", content, 24, rate, (rate * 2) % 2**32)

    path = patched(tmp_path / "a.wav", tmp_path / "says.wav", change)
    for read in (probe, lambda p: read_audio(p, 16000)):
        with pytest.raises(BadInput, match=r"says\.wav: .*") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_absurd_sound_does_not_take_the_pictures_with_it(tmp_path: Path) -> None:
    twin = avi(tmp_path / "plain.avi", sound=clicking(SECONDS, 16000))

    def change(content: bytearray) -> None:
        at = content.index(b"strf", content.index(b"auds")) + 8
        struct.pack_into("<II", content, at + 4, 1, 2)

    info = probe(patched(twin, tmp_path / "says.avi", change))
    assert (info.has_video, info.has_audio) == (True, False)
    assert info.duration == pytest.approx(SECONDS, abs=1 / FPS)


@pytest.mark.parametrize(("suffix", "codec"), [("aac", "aac"), ("mp3", "libmp3lame")])
def test_lengths_that_are_estimated_from_the_bit_rate(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    """Twenty quiet seconds and three loud ones, of which bare streams do not tell the length."""
    quiet = np.zeros((1, 20 * 44100), np.float32)
    loud = np.random.default_rng(0).normal(0, 0.3, (1, 3 * 44100)).astype(np.float32)
    parts = []
    for k, (sound, bits) in enumerate(((quiet, 32_000), (loud, 320_000))):
        part = tmp_path / f"{k}.{suffix}"
        with av.open(str(part), "w", options={"write_xing": "0"} if suffix == "mp3" else {}) as to:
            stream: Any = to.add_stream(codec, rate=44100, layout="mono")
            stream.bit_rate = bits
            frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="mono")
            frame.sample_rate = 44100
            to.mux(stream.encode(frame))
            to.mux(stream.encode())
        parts.append(part.read_bytes())
    path = tmp_path / f"whole.{suffix}"
    path.write_bytes(b"".join(parts))
    info = probe(path)
    assert info.stated is not None and abs(info.stated - 23) > 5, "the header is wrong"
    assert info.duration == pytest.approx(23, abs=0.15)  # encoders add up to 50 ms to each part
    sound = read_audio(path, 16000)
    assert sound is not None
    assert len(sound) / 16000 == pytest.approx(info.duration, abs=0.03)


MOVES: dict[str, Callable[[str, float], float]] = {
    "sound a day later": lambda kind, time: 27 * HOUR if kind == "audio" else 0.0,
    "images a day later": lambda kind, time: 27 * HOUR if kind == "video" else 0.0,
    "sound jumps": lambda kind, time: 11 * HOUR if kind == "audio" and time > MIDDLE else 0.0,
    "images jump": lambda kind, time: 11 * HOUR if kind == "video" and time > MIDDLE else 0.0,
    "the clock is set": lambda kind, time: 11 * HOUR if time > MIDDLE else 0.0,
    "the clock is set twice": lambda kind, time: 2 * HOUR * max(0, time // 1),
    "all is late": lambda kind, time: 20 * HOUR,
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("mkv", {"options": {"bf": "0"}}),
        ("mkv", {"options": {"bf": "2"}}),
        ("ts", {"options": {"bf": "2"}}),
        ("mov", {"audio_codec": "pcm_s16le"}),
    ],
    ids=["mkv", "mkv reordered", "ts", "mov"],
)
def test_stamps_that_jump(tmp_path: Path, suffix: str, options: dict[str, Any], move: str) -> None:
    twin = plain(tmp_path / f"plain.{suffix}", **options)
    assert_alike(restamped(twin, tmp_path / f"moved.{suffix}", MOVES[move]), twin)


@pytest.mark.parametrize("reordered", ["0", "2"])
def test_transport_streams_whose_clock_begins_anew(tmp_path: Path, reordered: str) -> None:
    twin = plain(tmp_path / "plain.ts", options={"bf": reordered})
    near_the_end = WRAP - 1.4 - MIDDLE  # 1.4 s are added by the format
    path = restamped(twin, tmp_path / "wraps.ts", lambda kind, time: near_the_end)
    assert_alike(path, twin)
    path = restamped(
        twin, tmp_path / "jumps.ts", lambda kind, time: near_the_end if time > 1 else 0.0
    )
    assert_alike(path, twin)


def test_files_that_were_put_together(tmp_path: Path) -> None:
    twin = plain(tmp_path / "plain.ts", options={"bf": "2"})
    path = tmp_path / "three.ts"
    path.write_bytes(twin.read_bytes() * 3)
    length = probe(twin).duration
    assert probe(path).duration == pytest.approx(3 * length, abs=1 / FPS)
    heard, seen = clicks(twin), shown(twin)[0]
    expected = np.concatenate([times + k * length for k in range(3) for times in [heard]])
    np.testing.assert_allclose(clicks(path), expected, atol=1 / FPS)
    expected = np.concatenate([times + k * length for k in range(3) for times in [seen]])
    np.testing.assert_allclose(shown(path)[0], expected, atol=1 / FPS)
    np.testing.assert_allclose(picture_times(path), expected, atol=1 / FPS)


def test_a_clock_that_is_set_back(tmp_path: Path) -> None:
    twin = plain(tmp_path / "plain.ts", options={"g": "5"})
    early, late = tmp_path / "early.ts", tmp_path / "late.ts"
    restamped(twin, early, lambda kind, time: 5 * HOUR if time <= MIDDLE else None)
    restamped(twin, late, lambda kind, time: 0.0 if time > MIDDLE else None)
    path = tmp_path / "back.ts"
    path.write_bytes(early.read_bytes() + late.read_bytes())
    assert_alike(path, twin)


def test_a_pause_within_the_limit_is_kept(tmp_path: Path) -> None:
    twin = plain(tmp_path / "plain.mkv")
    path = restamped(
        twin, tmp_path / "pause.mkv", lambda kind, time: 20.0 if time > MIDDLE else 0.0
    )
    assert probe(path).duration == pytest.approx(SECONDS + 20, abs=0.05)
    late = clicks(twin) > MIDDLE
    np.testing.assert_allclose(clicks(path), clicks(twin) + 20 * late, atol=0.01)


def test_sound_that_pauses_long_while_pictures_go_on_keeps_its_time(tmp_path: Path) -> None:
    pictures = counting(150, fps=1.0)
    sound = clicking(SECONDS, 16000)
    twin = write_recording(tmp_path / "plain.mkv", pictures, sound, 16000, options={"bf": "0"})
    path = restamped(
        twin,
        tmp_path / "pause.mkv",
        lambda kind, time: 100.0 if kind == "audio" and time > MIDDLE else 0.0,
    )
    assert probe(path).duration == pytest.approx(150, abs=1.0)
    late = clicks(twin) > MIDDLE
    np.testing.assert_allclose(clicks(path), clicks(twin) + 100 * late, atol=0.01)


@pytest.mark.parametrize("suffix", ["mkv", "mov"])
def test_a_window_after_a_jump_is_a_part_of_the_whole(tmp_path: Path, suffix: str) -> None:
    twin = write_recording(
        tmp_path / f"plain.{suffix}",
        flashing(300),
        clicking(12.0, 16000),
        16000,
        audio_codec="pcm_s16le",
        options={"g": "25"},
    )
    path = restamped(
        twin, tmp_path / f"moved.{suffix}", lambda kind, time: 11 * HOUR if time > 4 else 0.0
    )
    whole = [(f.time, f.rgb().mean()) for f in read_frames(path) if 8 <= f.time < 8.4]
    assert [(f.time, f.rgb().mean()) for f in read_frames(path, 8.0, 8.4)] == whole
    assert len(whole) == 10
    sound, part = read_audio(path, 16000), read_audio(path, 16000, 8.0, 9.0)
    assert sound is not None and part is not None
    np.testing.assert_allclose(part, sound[8 * 16000 : 9 * 16000], atol=1e-4)
    assert np.abs(part).max() > 0.5


@pytest.mark.parametrize("move", MOVES)
def test_a_live_source_whose_stamps_jump_ends_when_its_content_does(
    tmp_path: Path, move: str
) -> None:
    twin = plain(tmp_path / "plain.ts", options={"bf": "2"})
    ends = []
    for path in (twin, restamped(twin, tmp_path / "moved.ts", MOVES[move])):
        with open_source(str(path)) as packets:
            live = Live(packets, 2.0)
            while live.step():
                pass
            ends.append(live.end)
    assert ends[1] == pytest.approx(ends[0], abs=2 / FPS)
