from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from affuse.errors import BadInput
from affuse.media.probe import probe
from affuse.media.video import read_frames
from tests.media.recordings import beep, counting, grey, read_audio, write_recording


def test_describes_sound_and_pictures(tmp_path: Path) -> None:
    path = tmp_path / "both.mp4"
    write_recording(path, counting(25), beep(1.0, 0.5, 44100, channels=2), rate=44100)
    info = probe(path)
    assert (info.has_video, info.has_audio) == (True, True)
    assert (info.width, info.height, info.rotation) == (64, 48, 0)
    assert (info.sample_rate, info.channels) == (44100, 2)
    assert info.fps == pytest.approx(25)
    assert info.duration == pytest.approx(1.0, abs=0.05)


def test_sound_alone(tmp_path: Path) -> None:
    info = probe(write_recording(tmp_path / "a.m4a", sound=beep(0.5, 0.1, 16000), rate=16000))
    assert (info.has_video, info.has_audio, info.width, info.fps) == (False, True, 0, 0.0)


def test_pictures_alone(tmp_path: Path) -> None:
    info = probe(write_recording(tmp_path / "v.mp4", counting(10)))
    assert (info.has_video, info.has_audio, info.sample_rate) == (True, False, 0)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    plain = write_recording(tmp_path / "p.mp3", sound=beep(0.5, 0.1, 44100), rate=44100,
                            audio_codec="mp3").read_bytes()  # fmt: skip
    path = tmp_path / "song.mp3"
    path.write_bytes(_with_cover(plain))
    info = probe(path)
    assert (info.has_video, info.has_audio) == (False, True)
    with pytest.raises(BadInput, match=r"song\.mp3: has no images"):
        next(read_frames(path))


def _with_cover(mp3: bytes) -> bytes:
    """Put an ID3v2.3 tag with an image in front of an MP3 file, in place of the tag it has."""
    import cv2

    if mp3[:3] == b"ID3":
        size = sum(byte << 7 * (3 - i) for i, byte in enumerate(mp3[6:10]))
        mp3 = mp3[10 + size :]
    picture = cv2.imencode(".jpg", grey(99))[1].tobytes()
    body = b"\0image/jpeg\0\x03\0" + picture
    frame = b"APIC" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes(len(frame) >> 7 * (3 - i) & 127 for i in range(4))
    return b"ID3\x03\0\0" + size + frame + mp3


def test_a_bare_stream_without_time_stamps(tmp_path: Path) -> None:
    info = probe(write_recording(tmp_path / "bare.h264", counting(20)))
    assert info.duration == pytest.approx(0.8)


def test_turned_pictures_are_described_upright(tmp_path: Path) -> None:
    info = probe(write_recording(tmp_path / "r.mp4", counting(5), rotation=90))
    assert (info.width, info.height, abs(info.rotation)) == (48, 64, 90)


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    path = write_recording(tmp_path / "whole.mp4", counting(25), beep(1.0, 0.5, 16000), 16000)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("missing.mp4", None, "no such file"),
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"good morning\n" * 50, "not a recording that can be decoded"),
        ("noise.mp4", os.urandom(5000), "not a recording that can be decoded"),
        ("notes.txt", b"good morning\n" * 50, "not a recording that can be decoded"),
        ("half.mp4", ..., "not a recording that can be decoded"),
        ("words.srt", b"1\n00:00:00,000 --> 00:00:01,000\nhi\n", "has neither sound nor images"),
    ],
)
def test_bad_input_names_file_and_reason(
    tmp_path: Path, whole: bytes, name: str, content: bytes | None, reason: str
) -> None:
    path = tmp_path / name
    if content is ...:
        content = whole[: whole.find(b"moov") - 100]  # the index stands at the end
    if content is not None:
        path.write_bytes(content)
    for action in (probe, lambda p: next(read_frames(p)), lambda p: read_audio(p, 16000)):
        with pytest.raises(BadInput) as caught:
            action(path)
        assert name in str(caught.value)
        assert reason in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_directory_is_no_recording(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is a directory"):
        probe(tmp_path)


def test_streams_without_any_data_are_bad_input(tmp_path: Path) -> None:
    path = write_recording(tmp_path / "w.mp4", counting(10), options={"movflags": "faststart"})
    content = path.read_bytes()
    index, data = content.find(b"moov"), content.find(b"mdat")
    header = content[index - 4 : index - 4 + int.from_bytes(content[index - 4 : index], "big")]
    path.write_bytes(content[: data - 4] + header if data < index else content[:data])
    with pytest.raises(BadInput, match=r"w\.mp4: its video cannot be decoded"):
        probe(path)


def test_a_truncated_file_yields_what_there_is(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [(i / 25, rng.integers(0, 255, (48, 64, 3), np.uint8)) for i in range(50)]
    path = write_recording(tmp_path / "t.mkv", noise, beep(2.0, 0.1, 16000), 16000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    count = sum(1 for _ in read_frames(path))
    assert probe(path).has_video
    assert 5 < count < 45


def test_real_recordings(shared_data: Path) -> None:
    videos = shared_data / "videos"
    assert probe(videos / "expressive_d0.mp4").has_audio is False
    grid = probe(videos / "bbaf2n.mpg")
    assert (grid.width, grid.height, grid.fps, grid.sample_rate) == (360, 288, 25.0, 44100)
    portrait = probe(videos / "expressive_s13.mp4")
    assert (portrait.width, portrait.height) == (720, 1080)
    assert probe(videos / "face_noface.mov").duration == pytest.approx(6.42, abs=0.01)
