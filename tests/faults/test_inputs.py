"""What is read is a file of this machine, and nothing that it or its name points to."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from affuse.cli.main import main
from affuse.errors import AffuseError, BadInput
from affuse.media.live import Live
from affuse.media.probe import probe
from affuse.media.source import open_source
from affuse.media.timestamps import picture_times
from affuse.media.video import read_frames
from tests.faults.stamps import assert_alike, clicking, plain
from tests.media.recordings import grey, read_audio, write_recording

READERS: list[Callable[[Path], Any]] = [
    probe,
    picture_times,
    lambda path: next(read_frames(path)),
    lambda path: read_audio(path, 16000),
]


def refused(path: Path | str) -> str:
    """The one line in which every reader refuses something, at once."""
    lines = set()
    started = time.monotonic()
    for read in READERS:
        with pytest.raises(BadInput) as caught:
            read(Path(path))
        lines.add(str(caught.value))
    assert time.monotonic() - started < 1
    (line,) = lines
    assert "\n" not in line
    return line


@pytest.fixture
def listening() -> Iterator[tuple[int, list[Any]]]:
    """A port of loopback, and who called."""
    calls: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        done = threading.Event()

        def answer() -> None:
            while not done.is_set():
                try:
                    connection, address = server.accept()
                except OSError:
                    continue
                calls.append(address)
                connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        yield server.getsockname()[1], calls
        time.sleep(0.1)
        done.set()
        thread.join()


@pytest.mark.parametrize("scheme", ["tcp", "http", "udp", "rtmp", "async:tcp", "cache:http"])
def test_an_address_is_the_name_of_a_file(
    listening: tuple[int, list[Any]], scheme: str, tmp_path: Path
) -> None:
    port, calls = listening
    assert refused(f"{scheme}://127.0.0.1:{port}/a.mp4").endswith("no such file")
    assert main(["predict", f"{scheme}:127.0.0.1:{port}", "--out", str(tmp_path / "out")]) == 2
    time.sleep(0.1)
    assert not calls


PLAYLISTS = {
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{0}\n#EXT-X-ENDLIST\n",
    "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{0}\n#EXT-X-ENDLIST\n",
    "list.ffconcat": "ffconcat version 1.0\nfile {0}\n",
    "list.mkv": "ffconcat version 1.0\nfile '{0}'\n",
    "list.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio {1} RTP/AVP 0\n",
    "list.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT3S"><Period><AdaptationSet mimeType="video/mp4"><Representation '
    'id="1" bandwidth="1"><BaseURL>{0}</BaseURL></Representation></AdaptationSet></Period></MPD>',
}


@pytest.mark.parametrize("name", PLAYLISTS)
@pytest.mark.parametrize("local", [True, False])
def test_lists_open_nothing(
    tmp_path: Path, listening: tuple[int, list[Any]], name: str, local: bool
) -> None:
    port, calls = listening
    inside = plain(tmp_path / "inside.ts", seconds=1.0)
    entry = str(inside) if local else f"http://127.0.0.1:{port}/inside.ts"
    path = tmp_path / name
    path.write_text(PLAYLISTS[name].format(entry, port))
    line = refused(path)
    assert "not a recording that can be decoded" in line or "has neither" in line
    time.sleep(0.1)
    assert not calls


def test_a_percent_sign_is_no_pattern_of_names(tmp_path: Path) -> None:
    import cv2

    for number in range(3):
        cv2.imwrite(str(tmp_path / f"img{number:03d}.jpg"), grey(50 * number))
    assert refused(tmp_path / "img%03d.jpg").endswith("no such file")
    assert refused(tmp_path / "img*.jpg").endswith("no such file")
    cv2.imwrite(str(tmp_path / "img%03d.jpg"), grey(200))
    (frame,) = read_frames(tmp_path / "img%03d.jpg")
    assert frame.rgb().mean() == pytest.approx(200, abs=2)


def test_pipes_sockets_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    places = [tmp_path / "pipe.mp4", Path("/dev/zero"), Path("/dev/tty")]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.mp4"))
        for place in [*places, tmp_path / "socket.mp4"]:
            if place.exists():
                assert refused(place).endswith("is a pipe or a device; recordings are files")


def test_a_pipe_does_not_hold_the_batch(tmp_path: Path, capsys: Any) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    voice = clicking(1.0, 16000) + 0.1
    write_recording(tmp_path / "voice.wav", sound=voice, rate=16000, audio_codec="pcm_s16le")
    started = time.monotonic()
    words = [str(tmp_path / "pipe.mp4"), str(tmp_path / "voice.wav")]
    assert main(["predict", *words, "--out", str(tmp_path / "out")]) == 2
    assert time.monotonic() - started < 60
    assert (tmp_path / "out" / "voice.json").exists()
    assert "pipe.mp4: is a pipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name",
    ["2024-05-01T12:30:05.mov", "http:x.mov", "a%20b.mov", "-.mov", "concat:a|b.mov", " é\n.mov"],
)
def test_any_name_is_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    twin = plain(tmp_path / "plain.mov", seconds=1.0)
    (tmp_path / name).write_bytes(twin.read_bytes())
    assert_alike(tmp_path / name, twin)
    monkeypatch.chdir(tmp_path)
    assert probe(name).duration == probe(twin).duration
    with open_source(name) as packets:
        assert {stream.type for stream in packets.streams} == {"video", "audio"}


def test_a_name_that_is_not_utf8(tmp_path: Path) -> None:
    twin = plain(tmp_path / "plain.mov", seconds=1.0)
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mov"))
    try:
        path.write_bytes(twin.read_bytes())
    except OSError:
        pytest.skip("names here are UTF-8")
    assert_alike(path, twin)


@pytest.mark.parametrize("suffix", ["avi", "wav", "mp3", "mkv"])
def test_tags_that_are_not_utf8(tmp_path: Path, suffix: str) -> None:
    twin, path = tmp_path / f"plain.{suffix}", tmp_path / f"latin1.{suffix}"
    codec = {"mp3": "libmp3lame"}.get(suffix, "pcm_s16le")
    container: Any
    with av.open(str(twin), "w") as container:
        container.metadata["title"] = "GesprXch mit JosX"
        stream = container.add_stream(codec, rate=16000, layout="mono")
        sound = clicking(1.0, 16000)
        if codec == "pcm_s16le":
            frame = av.AudioFrame.from_ndarray((sound * 32767).astype(np.int16), "s16", "mono")
        else:
            frame = av.AudioFrame.from_ndarray(sound, "fltp", "mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    content = twin.read_bytes()
    assert b"GesprXch" in content
    path.write_bytes(content.replace(b"GesprX", b"Gespr\xe4").replace(b"JosX", b"Jos\xe9"))
    assert probe(path).duration == probe(twin).duration
    np.testing.assert_array_equal(read_audio(path, 16000), read_audio(twin, 16000))
    with open_source(str(path)) as packets:
        live = Live(packets, 1.0)
        while live.step():
            pass
        assert live.end == pytest.approx(1.0, abs=0.1)


def test_pictures_that_are_said_to_be_huge_take_no_memory(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    path = tmp_path / "huge.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    with pytest.raises(BadInput, match=r"huge\.png: .*million pixels"):
        probe(path)


@pytest.mark.parametrize("error", [ValueError, MemoryError, OverflowError, UnicodeError])
def test_any_error_of_the_library_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    path = plain(tmp_path / "a.mov", seconds=1.0)

    def fail(*_: Any, **__: Any) -> None:
        raise error("of\nthe library")

    monkeypatch.setattr(av, "open", fail)
    assert "of the library" in refused(path)
    with pytest.raises(AffuseError, match="of the library"), open_source(str(path)):
        pass
