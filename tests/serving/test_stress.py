"""Many uploads at once, hostile ones among them, and kills at random moments."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.commands import run
from tests.serving.conftest import tone
from tests.serving.hostile import (
    PATH_TRICKS,
    bombs,
    broken_off,
    form_of,
    memory,
    png,
    slowly,
)
from tests.serving.running import Running, running

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")


def predicted(path: Path, folder: Path, model: Path, *options: object) -> dict[str, bytes]:
    """The files that `affuse predict` writes of a recording under the name that uploads have."""
    folder.mkdir()
    recording = folder / f"recording{path.suffix}"
    shutil.copy(path, recording)
    out = folder / "result"
    assert run("predict", recording, "--model", model, "--out", out, *options) == 0
    return {file.name: file.read_bytes() for file in out.iterdir()}


def results(server: Running, job: str) -> dict[str, bytes]:
    """The files of a job."""
    facts = server.when(job, "done", "failed")
    assert facts["state"] == "done", facts
    return {
        name: server.client.get(f"/v1/jobs/{job}/files/{name}").content for name in facts["files"]
    }


def assert_nothing_left(server: Running) -> None:
    """Neither jobs nor what came of them, or of what broke off."""
    assert server.folders() == []
    assert [path for path in (server.data / "incoming").rglob("*") if not path.is_dir()] == []
    with sqlite3.connect(server.data / "jobs.sqlite") as base:
        assert base.execute("SELECT count(*) FROM jobs").fetchone() == (0,)


def test_bombs_and_wrong_types_cost_nothing(server: Running, short: Path) -> None:
    before, size = len(server.folders()), memory(server.process.pid)
    jobs = []
    for name, data in {
        "pixels.png": png(8_000, 8_000),
        **{k: v for k, v in bombs(short.read_bytes()).items() if k != "pixels.png"},
    }.items():
        answer = server.client.post("/v1/jobs", files={"recording": (name, data)})
        assert answer.status_code == 202, (name, answer.text)
        jobs.append((name, answer.json()["id"]))
    for name, job in jobs:
        facts = server.when(job, "done", "failed")
        assert facts["state"] == ("done" if name == "long.wav" else "failed"), (name, facts)
        assert facts["error"] is None or (
            facts["error"].startswith("recording") and "/" not in facts["error"]
        )
        server.client.delete(f"/v1/jobs/{job}")
    _, body = form_of("talk.wav", short.read_bytes())
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Content-Encoding": "gzip"}
    packed = server.client.post("/v1/jobs", headers=headers, content=gzip.compress(body))
    assert packed.status_code == 400
    many: Any = [("recording", (f"{k}.wav", bytes(10_000))) for k in range(100)]
    assert server.client.post("/v1/jobs", files=many).status_code == 400
    assert server.client.post("/v1/jobs", data={"url": "x" * 100_000}).status_code == 413
    assert len(server.folders()) == before
    assert memory(server.process.pid) - size < 50_000_000


@pytest.mark.slow
def test_fifty_uploads_at_once(model: Path, short: Path, tmp_path: Path) -> None:
    wav = short.read_bytes()
    expected = predicted(short, tmp_path / "predicted", model)
    limits = ("--max-megabytes", 20, "--max-minutes", 1)
    with running(tmp_path / "data", "--model", model, *limits) as server:

        def whole(name: str, data: bytes, status: int) -> str | None:
            answer = server.client.post("/v1/jobs", files={"recording": (name, data)})
            assert answer.status_code == status, (name, answer.text)
            return str(answer.json()["id"]) if status == 202 else None

        def slow(pieces: int) -> str:
            answer = slowly(server, "Anna slow.wav", wav, pieces, 0.2)
            assert answer.startswith(b"HTTP/1.1 202 "), answer
            return str(json.loads(answer.split(b"\r\n\r\n", 1)[1])["id"])

        good: list[Any] = [partial(whole, f"Anna {k}.wav", wav, 202) for k in range(10)]
        good += [partial(slow, 5 + k) for k in range(8)]
        tricks = {name: partial(whole, name, wav, 202) for name in PATH_TRICKS}
        named = {*good, *(call for name, call in tricks.items() if Path(name).suffix == ".wav")}
        good += tricks.values()
        wrong = {
            "text.mp4": b"no video\n" * 1000,
            "page.html": b"<html>" * 1000,
            "noise.mkv": random.Random(0).randbytes(100_000),
            "programme.exe": b"MZ" + bytes(10_000),
            **bombs(wav),
        }
        long = wrong.pop("long.wav")
        bad: list[Any] = [partial(whole, name, data, 202) for name, data in wrong.items()]
        refused: list[Any] = [
            partial(whole, "Anna empty.wav", b"", 422),
            partial(whole, "Anna large.wav", bytes(21_000_000), 413),
        ]
        gone: list[Any] = [
            partial(broken_off, server, "Anna gone.wav", wav * 20, 0.1 * k, 0.05 * k)
            for k in range(1, 10)
        ]
        good.append(partial(whole, "Anna long.wav", long, 202))
        calls = [*good, *bad, *refused, *gone]
        assert len(calls) == 50
        before, began = memory(server.process.pid), time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            order = random.Random(0).sample(calls, len(calls))
            futures = {call: pool.submit(call) for call in order}
        arrived = time.monotonic() - began
        jobs = {call: future.result() for call, future in futures.items()}
        for call in good:
            found = results(server, jobs[call])
            assert found.keys() == expected.keys()
            # what has no suffix is called so in its files, and a header that lies is noted
            if call in named and call is not good[-1]:
                assert found == expected
        for call in bad:
            facts = server.when(jobs[call], "failed", "done")
            assert facts["state"] == "failed" and "/" not in facts["error"], facts
        accepted = [jobs[call] for call in (*good, *bad)]
        assert {path.name for path in server.folders()} == {*accepted}
        done = time.monotonic() - began
        peak = memory(server.process.pid, "VmHWM")
        print(
            f"\n50 uploads: all answered after {arrived:.1f} s, all worked on after {done:.1f} s; "
            f"memory of the server {before / 1e6:.0f} MB before, {peak / 1e6:.0f} MB at most"
        )
        assert peak - before < 150_000_000
        for job in accepted:
            assert server.client.delete(f"/v1/jobs/{job}").status_code == 204
        assert_nothing_left(server)
        said = server.said()
        assert "Anna" not in said and "x.wav" not in said and "Traceback" not in said


@pytest.mark.slow
def test_kills_at_twenty_random_moments(model: Path, tmp_path: Path) -> None:
    chance = random.Random(7)
    words = ("--model", model, "--jobs", 2)
    hops = ("0.5", "0.02", "0.005")
    expected = [
        predicted(tone(tmp_path / f"{k}.wav", 3 + k), tmp_path / f"p{k}", model, "--hop", hop)
        for k, hop in enumerate(hops)
    ]
    data, kills = tmp_path / "data", {"server": 0, "worker": 0}
    with ExitStack() as stack:
        began = time.monotonic()
        server = stack.enter_context(running(data, *words))
        jobs = [server.job(tmp_path / f"{k % 3}.wav", hop=hops[k % 3]) for k in range(30)]
        server.when(jobs[0], "done")
        usual = time.monotonic() - began  # from a start to the first result, on this machine
        lost: set[str] = set()
        while sum(kills.values()) < 20:
            time.sleep(chance.uniform(0.0, 1.5 * usual))
            workers, here = server.workers(), being_worked_on(data)
            if chance.random() < 0.7 and workers and not lost & here:
                lost |= here  # whichever of them it is, it has lost one process
                os.kill(chance.choice(workers), signal.SIGKILL)
                kills["worker"] += 1
            else:
                server.kill()
                kills["server"] += 1
                server = stack.enter_context(running(data, *words))
        print(
            f"\nkilled within {time.monotonic() - began:.0f} s: {kills}; "
            f"{len(finished(data))} of 30 jobs done by then"
        )
        for number, job in enumerate(jobs):
            assert results(server, job) == expected[number % 3], job
            assert server.said().count(f"job {job}: done") <= 1
            assert f"job {job}: failed" not in server.said()
        assert {path.name for path in server.folders()} == {*jobs}
        for job in jobs:
            names = {path.name for path in (data / "jobs" / job).iterdir()}
            assert names >= {"recording.wav", "result"} and "part" not in names
            assert server.client.delete(f"/v1/jobs/{job}").status_code == 204
        assert_nothing_left(server)


def being_worked_on(data: Path) -> set[str]:
    with sqlite3.connect(data / "jobs.sqlite") as base:
        return {id for (id,) in base.execute("SELECT id FROM jobs WHERE state = 'running'")}


def finished(data: Path) -> set[str]:
    with sqlite3.connect(data / "jobs.sqlite") as base:
        return {id for (id,) in base.execute("SELECT id FROM jobs WHERE state = 'done'")}
