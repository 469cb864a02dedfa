"""A live source that is late, that is lost, and that comes back."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.faults.sounds import face_video, voice, write_wav
from tests.inference.recordings import values_model
from tests.media.recordings import counting, write_recording

from affuse.inference.live import KEPT, Line, follow
from affuse.inference.predictor import Predictor
from affuse.media.live import Live
from affuse.media.source import open_source

RATE = 16000


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hearing") / "m.safetensors"
    return values_model(path, ("audio/logmel64-16k",), "audio-only", window=1.0)


@contextmanager
def sent(data: bytes, seconds: float, pauses: list[float]) -> Iterator[str]:
    """An address that sends data at the speed of its seconds, closes, and is away for a while."""
    stop = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def serve() -> None:
        nonlocal server
        for pause in [*pauses, 0.0]:
            with suppress(OSError):
                connection, _ = server.accept()
                server.close()
                pieces = 40
                size = -(-len(data) // pieces)
                with connection:
                    for first in range(0, len(data), size):
                        connection.sendall(data[first : first + size])
                        stop.wait(seconds / pieces)
            stop.wait(pause)
            if stop.is_set():
                return
            server = socket.create_server(("127.0.0.1", port))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{port}"
    finally:
        stop.set()
        server.close()


def test_a_connection_that_is_lost_is_opened_again(hearing: Path, tmp_path: Path) -> None:
    sound = voice(2.0, rate=48000)[None]
    path = write_recording(tmp_path / "a.ts", sound=sound, audio_codec="mp2")
    lines: list[Line] = []
    with (
        sent(path.read_bytes(), 2.0, [2.0, 0.0]) as address,
        open_source(address, {"audio"}) as packets,
    ):
        live = Live(packets, 1.0 + KEPT)
        began = time.monotonic()
        for line in follow(Predictor(hearing), live, 0.2, 0.0):
            lines.append(line)
            back = packets.lost and line.present["audio"] and line.time > 4.0
            if back or time.monotonic() - began > 30:
                break
    there = [line.present["audio"] for line in lines]
    assert packets.lost >= 1 and there[0] and there[-1] and not all(there)
    times = np.array([line.time for line in lines])
    assert np.diff(times) == pytest.approx(0.2, abs=1e-6)  # none is left out while it is away
    gone = times[~np.array(there)]
    assert gone[0] > 1.5 and all(line.values is None for line in lines if 3.2 < line.time < 3.6)


def test_frames_that_wait_too_long_are_dropped_and_nothing_queues(tmp_path: Path) -> None:
    path = write_recording(
        tmp_path / "a.mkv", counting(60, 30.0), video_codec="mjpeg", pixels="yuvj420p"
    )

    class Slow:
        seen = 0

        def see(self, frame: object) -> None:
            self.seen += 1
            time.sleep(0.15)

        def give_up(self, until: float) -> None: ...

        def finish(self) -> None: ...

    slow = Slow()
    with open_source(str(path), {"video"}) as packets:
        live = Live(packets, 2.0, realtime=True)
        live.faces.append(slow)
        began, late = time.monotonic(), []
        while live.step():
            late.append(live.behind(live.end))
        took = time.monotonic() - began
    assert live.dropped + slow.seen == 60 and live.dropped > 30
    assert took < 4 and max(late) < 1.0


def test_a_pipe_that_stalls_goes_on_and_one_that_ends_ends(hearing: Path, tmp_path: Path) -> None:
    """Lines go on by the clock; what comes then is about then."""
    path = write_recording(tmp_path / "a.ts", sound=voice(2.0, rate=48000)[None], audio_codec="mp2")
    data = path.read_bytes()
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)

    def write() -> None:
        with fifo.open("wb") as pipe:
            for part in (data[: len(data) // 2], data[len(data) // 2 :]):
                pipe.write(part)
                pipe.flush()
                time.sleep(2.5)

    threading.Thread(target=write, daemon=True).start()
    with open_source(str(fifo), {"audio"}) as packets:
        lines = [*follow(Predictor(hearing), Live(packets, 4.0), 0.2, 0.0)]
    there = np.array([line.present["audio"] for line in lines])
    changes = np.flatnonzero(np.diff(there.astype(int)))
    assert there[0] and len(changes) >= 2  # away, and back
    assert lines[-1].time > 3.0 and packets.lost == 0


def test_a_pipe_that_is_faster_than_time_loses_nothing(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    model = values_model(tmp_path / "m.safetensors", window=1.0)
    path = face_video(tmp_path / "a.mkv", 6.0, voice(6.0))
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    threading.Thread(target=lambda: fifo.write_bytes(path.read_bytes()), daemon=True).start()
    with open_source(str(fifo)) as packets:
        lines = [*follow(Predictor(model), Live(packets, 4.0), 0.5, 0.0)]
    assert [line.time for line in lines] == pytest.approx(np.arange(1, 13) * 0.5)
    assert lines[-1].dropped == 0


@pytest.mark.parametrize("fast", [pytest.param(True, marks=pytest.mark.slow), False])
def test_frames_are_dropped_only_where_the_source_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fast: bool
) -> None:
    """Each frame takes longer than it lasts: of a pipe, which waits, and of a camera."""
    pytest.importorskip("skimage")
    model = values_model(tmp_path / "m.safetensors", window=1.0)
    path = face_video(tmp_path / "a.mkv", 3.0, None)
    see = Live._see

    def slowly(live: Live, frame: Any, moment: float) -> None:
        time.sleep(0.06)
        see(live, frame, moment)

    monkeypatch.setattr(Live, "_see", slowly)
    source = tmp_path / "pipe" if fast else path
    if fast:
        os.mkfifo(source)
        threading.Thread(target=lambda: source.write_bytes(path.read_bytes()), daemon=True).start()
    with open_source(str(source)) as packets:
        lines = [*follow(Predictor(model), Live(packets, 4.0, not fast), 0.5, 0.0)]
    assert (lines[-1].dropped == 0) == fast


def test_either_modality_may_go_and_come_back(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    model = values_model(tmp_path / "m.safetensors", window=1.0)
    path = face_video(tmp_path / "a.mov", 3.0, voice(6.0))
    with open_source(str(path)) as packets:
        lines = [*follow(Predictor(model), Live(packets, 4.0), 0.2, 0.0)]
    faces = {round(line.time, 1): line.present["video"] for line in lines}
    assert all(there == (t <= 3.0) for t, there in faces.items() if abs(t - 3.0) > 0.3)
    assert lines[-1].time == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_source_that_lacks_a_modality_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("skimage")
    model = values_model(tmp_path / "m.safetensors", window=1.0)
    if kind == "audio":
        path = write_wav(tmp_path / "a.wav", voice(5.0), RATE)
    else:
        path = face_video(tmp_path / "a.mov", 5.0, None)
    with open_source(str(path)) as packets:
        live = Live(packets, 4.0)
        for line in follow(Predictor(model), live, 0.2, 0.0):
            assert line.present == {"video": kind == "video", "audio": kind == "audio"}
            assert live.end < line.time + 0.7 or live.ended


@pytest.mark.slow
def test_memory_does_not_grow(hearing: Path, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.tile(voice(20.0), 60), RATE)
    after: dict[float, int] = {}
    with open_source(str(path), {"audio"}) as packets:
        for line in follow(Predictor(hearing), Live(packets, 4.0), 0.5, 0.0):
            after[line.time] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after[1200.0] - after[60.0] < 20_000  # kB
