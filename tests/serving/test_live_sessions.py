"""Sound and images that are sent to the server as they come."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from affuse.inference.live import KEPT, follow
from affuse.inference.predictor import Predictor
from affuse.media.live import Live
from affuse.media.pushed import Pushed
from affuse.media.source import open_source
from affuse.models.bundled import BUNDLED
from tests.commands import run
from tests.serving.conftest import tone
from tests.serving.hostile import memory
from tests.serving.running import ROOT, Running, running
from tests.serving.sessions import (
    IMAGE,
    SOUND,
    Session,
    as_pieces,
    message,
    pieces,
    session,
    through,
)

#: A tenth of a second of silence.
QUIET = bytes(3200)


def assert_same(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        assert {*mine} == {*other}
        for key in {*mine} - {"latency", "probabilities"}:
            assert mine[key] == other[key], (key, mine, other)
        values = [one["probabilities"] or {} for one in (mine, other)]
        assert values[0] == pytest.approx(values[1], abs=1e-4)


def followed(capsys: pytest.CaptureFixture[str], *words: object) -> list[dict[str, Any]]:
    """The lines of `affuse live`."""
    capsys.readouterr()
    assert run("live", *words) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "JPEG")
    return file.getvalue()


def processes(server: Running, count: int) -> set[int]:
    """Those of the sessions, when there are so many."""
    for _ in range(1000):
        if len(found := {*server.workers()}) == count:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{len(found)} processes")


@pytest.fixture(scope="module")
def talk(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven seconds of a person."""
    folder = tmp_path_factory.mktemp("talk")
    return as_pieces(shared_data / "videos" / "expressive_d18.mp4", folder / "talk.mkv")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Running]:
    """A server of the small model and the bundled one, with images of 250,000 pixels."""
    data = tmp_path_factory.mktemp("live") / "data"
    words = ("--model", model, "--model", f"bundled={BUNDLED}", "--max-megapixels", 0.25)
    with running(data, *words, "--live-sessions", 3) as one:
        yield one


def test_sound_gives_the_lines_of_affuse_live(
    live: Running, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tone(tmp_path / "talk.wav", 5.3)
    theirs = followed(capsys, path, "--model", model, "--hop", 0.5, "--delay", 0.25)
    ours = through(
        live, path, model="voice", window_step=0.5, delay=0.25, images=None, realtime=False
    )
    assert_same(ours, theirs)


def test_pushed_images_and_sound_are_followed_as_those_of_a_file(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "videos" / "expressive_d18.mp4"
    path = as_pieces(source, tmp_path / "talk.mkv", seconds=1.2)
    predictor = Predictor(BUNDLED)
    kinds = {spec.modality for spec in predictor.spec.streams.values()}
    pushed = Pushed("pushed", kinds, 16000, 25.0, realtime=False, pixels=10**6)

    def push() -> None:
        for seconds, piece in pieces(path):
            (pushed.push_image if piece[0] == IMAGE else pushed.push_sound)(seconds, piece[9:])
        pushed.end()

    threading.Thread(target=push).start()
    with open_source(str(path), kinds) as packets:
        ours, theirs = (
            [
                line.to_json(predictor.spec)
                for line in follow(predictor, Live(source, predictor.window + KEPT), 0.5, 0.0)
            ]
            for source in (pushed, packets)
        )
    assert any(line["face"] for line in ours)
    assert_same(ours, theirs)


@pytest.mark.slow
def test_sound_and_images_give_the_lines_of_affuse_live(
    live: Running, talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = followed(capsys, talk, "--hop", 0.5)
    assert any(line["face"] for line in theirs) and any(line["sound"] for line in theirs)
    assert_same(through(live, talk, model="bundled", hop=0.5, realtime=False), theirs)


@pytest.mark.slow
def test_the_client_of_the_documentation(live: Running, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "how-to" / "serve.md").read_text(encoding="utf-8")
    (code,) = [one for one in re.findall(r"```python\n(.*?)```", page, re.S) if "wave" in one]
    tone(tmp_path / "talk.wav", 3.0)
    netloc = live.client.base_url.netloc.decode()
    done = subprocess.run(
        [sys.executable, "-c", code.replace("127.0.0.1:8000", netloc)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    ready, *lines, end = map(json.loads, done.stdout.splitlines())
    assert {*ready} == {"ready"} and end["end"]["lines"] == 6
    assert [line["time"] for line in lines] == [0.5, 1.0, 1.5, 2.0, 2.5, 3.0]


@pytest.mark.parametrize(
    ("start", "name", "code", "why"),
    [
        ({"hop": 0}, "bad_start", 4400, "hop: input should be greater than or equal to 0.02"),
        ({"hop": "soon"}, "bad_start", 4400, "hop: "),
        ({"sound": 100}, "bad_start", 4400, "sound: "),
        ({"colour": 1}, "bad_start", 4400, "colour: extra inputs are not permitted"),
        ({"model": "other"}, "unknown_model", 4404, "none of voice, bundled"),
    ],
)
def test_a_start_that_cannot_be(
    live: Running, start: dict[str, Any], name: str, code: int, why: str
) -> None:
    with session(live, **start) as one:
        told = one.error()
    assert told[0] == name and told[2] == code
    assert told[1].startswith(why)


@pytest.mark.parametrize(
    "wrong",
    [
        message(3, 0.0, QUIET),
        message(SOUND, float("nan"), QUIET),
        message(SOUND, -1.0, QUIET),
        message(SOUND, 0.0, QUIET[1:]),
        message(IMAGE, 0.0, jpeg(8, 8)),
        b"",
        b"\1",
        {"stop": True},
    ],
)
def test_a_message_that_is_none(live: Running, wrong: bytes | dict[str, Any]) -> None:
    with session(live, images=None) as one:
        one.send(wrong)
        name, _, code = one.error()
        assert (name, code) == ("bad_message", 4400)


def test_what_ends_a_session_ends_no_other(live: Running) -> None:
    """Three at once: one is killed, one sends a bomb, and one goes on."""
    with ExitStack() as stack:

        def begin() -> Session:
            return stack.enter_context(session(live))

        large, good = begin(), begin()
        before = processes(live, 2)
        killed = begin()
        (process,) = processes(live, 3) - before
        with pytest.raises(InvalidStatus) as refused:
            begin()
        answer = refused.value.response
        assert answer.status_code == 429
        assert json.loads(answer.body or b"")["detail"] == "this server has 3 live sessions already"
        os.kill(process, signal.SIGKILL)
        large.send(message(IMAGE, 0.0, jpeg(600, 500)))
        for k in range(20):
            good.send(message(SOUND, k / 10, QUIET))
        good.send({"end": True})
        assert killed.error()[0] == "failed"
        why = "an image has 600 x 500 pixels; 250,000 are taken"
        assert large.error() == ("too_many_pixels", why, 4413)
        assert [line["time"] for line in good.lines()[1:-1]] == [1.0, 2.0]
    metrics = live.client.get("/metrics").text
    for end in ("failed", "too_many_pixels", "end"):
        assert f'affuse_live_sessions_total{{end="{end}"}}' in metrics
    assert "affuse_live_open 0.0" in metrics
    assert live.client.get("/healthz").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "data", "name", "code", "why"),
    [
        ({}, b"GIF89a" + bytes(100), "bad_image", 4400, "an image is no JPEG"),
        ({"past": False}, b"", "unusable", 4422, "past: "),
        ({"delay": 9}, b"", "unusable", 4422, "delay: at most the window of the model (2 s)"),
        ({"sound": None}, b"", "unusable", 4422, "the model reads audio alone"),
    ],
)
def test_what_only_the_process_knows(
    live: Running, start: dict[str, Any], data: bytes, name: str, code: int, why: str
) -> None:
    with session(live, **start) as one:
        if data:
            one.send(message(IMAGE, 0.0, data))
        told = one.error()
    assert (told[0], told[2]) == (name, code)
    assert told[1].startswith(why) and "/" not in told[1]


def test_a_message_that_is_too_long(live: Running) -> None:
    with session(live) as one:
        one.send(message(SOUND, 0.0, bytes(5_000_000)))
        assert one.error() == ("too_large", "a message has 4,000,000 bytes at most", 4413)
    with session(live) as one:
        one.send(message(SOUND, 0.0, bytes(20_000_000)))
        assert one.lines() == []


def test_who_may_begin_a_session(guarded: Running, token: str) -> None:
    netloc = guarded.client.base_url.netloc.decode()
    url, evil = f"ws://{netloc}/v1/live", "https://evil.example"
    bearer = {"Authorization": f"Bearer {token}"}
    for status, headers, protocols in (
        (401, {}, None),
        (401, {"Authorization": "Bearer x"}, None),
        (401, {}, ["affuse", f"token.{token}x"]),
        (403, {"Origin": evil, **bearer}, None),
    ):
        with pytest.raises(InvalidStatus) as refused:
            connect(url, proxy=None, additional_headers=headers, subprotocols=cast(Any, protocols))
        assert refused.value.response.status_code == status
    known: Any = ["affuse", f"token.{token}"]
    origin: Any = f"http://{netloc}"
    with connect(url, proxy=None, subprotocols=known, origin=origin) as socket:
        assert socket.subprotocol == "affuse"
        one = Session(socket)
        one.send({})
        assert one.error() == ("over", "a session takes 0.01 min at most", 4408)
    assert token not in guarded.said()


@pytest.mark.slow
def test_a_client_that_is_too_fast_is_slowed_down(live: Running) -> None:

    before = memory(live.process.pid)
    noise = np.random.default_rng(0).integers(-3000, 3000, 1_600_000).astype("<i2").tobytes()
    with session(live, images=None, realtime=False, hop=60) as one:
        for k in range(30):  # 96 MB, 50 minutes
            one.send(message(SOUND, 100.0 * k, noise))
        one.send({"end": True})
        assert one.lines()[-1]["end"]["lines"] == 50
    peak = memory(live.process.pid, "VmHWM")
    print(f"\n96 MB in 30 messages: {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most")
    assert peak - before < 60_000_000
