"""Servers and their processes that are killed, crash, hang or are asked to end."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.commands import refused
from tests.serving.conftest import tone
from tests.serving.running import Running, running

#: Seconds from window to window with which three seconds of sound keep a process busy.
SLOW = "0.001"

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux")


def in_the_middle(server: Running, job: str) -> None:
    """Wait until a job has come some way."""
    for _ in range(1000):
        if 0 < server.client.get(f"/v1/jobs/{job}").json()["progress"] < 1:
            return
        time.sleep(0.02)
    raise AssertionError(f"{server.client.get(f'/v1/jobs/{job}').json()}\n{server.said()}")


def busy(server: Running) -> int:
    """The process that works."""
    (worker,) = server.workers()
    return worker


def gone(pid: int) -> None:
    """Wait until a process has ended."""
    for _ in range(1000):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.02)
    raise AssertionError("it goes on")


def test_a_killed_server_goes_on_and_a_killed_process_is_replaced(
    model: Path, short: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    words = ("--model", model)
    with running(data, *words) as first:
        jobs = [first.job(short, hop=SLOW), first.job(short)]
        in_the_middle(first, jobs[0])
        (folder,) = (path for path in first.folders() if path.name == jobs[0])
        assert not (folder / "result").exists()
        worker = busy(first)
        first.kill()
    gone(worker)
    (data / "jobs" / ("0" * 32)).mkdir()  # of an upload that was not complete
    with running(data, *words) as second:
        assert {path.name for path in second.folders()} == {*jobs}
        in_the_middle(second, jobs[0])
        os.kill(busy(second), signal.SIGKILL)
        assert second.when(jobs[1], "done")["progress"] == 1  # the other one goes first now
        assert second.when(jobs[0], "done")["error"] is None
        for job in jobs:
            assert second.said().count(f"job {job}: done") == 1
        assert {path.name for path in second.folders()} == {*jobs}


@pytest.mark.slow
def test_a_recording_that_costs_its_process_twice_has_failed(
    model: Path, short: Path, tmp_path: Path
) -> None:
    with running(tmp_path / "data", "--model", model) as server:
        job = server.job(short, hop=SLOW)
        for _ in range(2):
            in_the_middle(server, job)
            worker = busy(server)
            os.kill(worker, signal.SIGKILL)
            gone(worker)
        error = server.when(job, "failed")["error"]
        why = "the process that decoded it was killed by signal 9 (SIGKILL)"
        assert error.startswith(f"recording.wav: {why}")
        server.when(server.job(short), "done")


@pytest.mark.slow
def test_a_full_queue_a_job_that_takes_too_long_and_a_stop(
    model: Path, short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    words = ("--model", model, "--queue", 1)
    with running(data, *words) as server:
        line = refused(capsys, "serve", "--data", data, "--model", model)
        assert "another server uses it" in line
        first = server.job(short, hop=SLOW)
        server.when(first, "running")
        second = server.job(short)
        full = server.upload(short)
        assert full.status_code == 429 and int(full.headers["retry-after"]) > 0
        assert full.json() == {"detail": "the queue is full (1); try again later"}
        assert len(server.folders()) == 2
        in_the_middle(server, first)
        with server.client.stream("GET", f"/v1/jobs/{second}/events") as events:
            assert server.stop() == 0
            assert '"queued"' in "".join(events.iter_lines())
        assert server.process.stdout.read() == "stopped; 2 jobs left for the next start\n"
        assert "Traceback" not in server.said()
    with sqlite3.connect(data / "jobs.sqlite") as base:
        assert [*base.execute("SELECT state FROM jobs")] == [("queued",)] * 2
    with running(data, *words, "--job-minutes", 1 / 60) as server:
        error = server.when(first, "failed")["error"]
        assert error == "recording.wav: the process that decoded it took longer than 1 s"


@pytest.mark.slow
def test_servers_that_are_killed_again_and_again_do_each_job_once(
    model: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    jobs: list[str] = []
    for number in range(6):
        with running(data, "--model", model, "--jobs", 2) as server:
            jobs += [server.job(tone(tmp_path / f"{number}-{k}.wav", 4 + k)) for k in range(3)]
            time.sleep(0.7 * number)
            server.kill()
    with running(data, "--model", model, "--jobs", 2) as server:
        for job in jobs:
            assert server.when(job, "done")["files"] == [
                f"recording.{end}" for end in ("csv", "html", "json", "png")
            ]
        assert {path.name for path in server.folders()} == {*jobs}
        for job in jobs:
            assert server.said().count(f"job {job}: done") <= 1
