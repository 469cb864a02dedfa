"""Servers of `affuse serve`, each a process of its own on a free port of loopback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
#: Seconds that anything may take here.
PATIENCE = 60.0


@dataclass
class Running:
    """A server.

    Args:
        process: Of `affuse serve`.
        client: Asks it.
        data: Its folder.
        log: What it says on the standard error.
    """

    process: subprocess.Popen[str]
    client: httpx.Client
    data: Path
    log: Path

    def upload(self, path: Path, name: str | None = None, **options: Any) -> httpx.Response:
        """Upload a file under a name."""
        files = {"recording": (path.name if name is None else name, path.read_bytes())}
        return self.client.post("/v1/jobs", files=files, data=options)

    def job(self, path: Path, **options: Any) -> str:
        """The id of a job for a file."""
        answer = self.upload(path, **options)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def when(self, job: str, *states: str, patience: float = PATIENCE) -> dict[str, Any]:
        """A job as soon as it is in one of some states."""
        until = time.monotonic() + patience
        while time.monotonic() < until:
            facts: dict[str, Any] = self.client.get(f"/v1/jobs/{job}").json()
            if facts["state"] in states:
                return facts
            time.sleep(0.05)
        raise AssertionError(f"{facts} is not {states} after {patience:g} s\n{self.said()}")

    def said(self) -> str:
        """All that it said."""
        return self.log.read_text()

    def folders(self) -> list[Path]:
        """Of jobs."""
        return list((self.data / "jobs").iterdir())

    def workers(self) -> list[int]:
        """Processes that work for it."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]

    def kill(self) -> None:
        """End it as the system does when memory runs out."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as a service manager does; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def running(data: Path, *words: object, token: str = "") -> Iterator[Running]:
    """A server with some options."""
    log = data.with_name(f"{data.name}.log")
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "affuse", "serve", "--port", "0", "--data", str(data)]
            + [str(word) for word in words],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("serving on http://127.0.0.1:"), line + log.read_text()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = line.split()[-1]
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE, trust_env=False) as c:
            yield Running(process, c, data, log)
    finally:
        process.kill()
        process.wait()
        process.stdout and process.stdout.close()
