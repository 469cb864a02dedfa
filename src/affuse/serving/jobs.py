"""The queue: which recordings wait, are worked on or are done; on the disk, so that it survives."""

from __future__ import annotations

import json
import secrets
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from affuse.errors import AffuseError, BadInput
from affuse.inference.extraction import Voice
from affuse.inference.predictor import LowQuality
from affuse.models.spec import Windows

State = Literal["queued", "running", "done", "failed"]
#: Where a job has its results.
RESULT = "result"
#: Where a job has the URL of its recording until that is downloaded.
ADDRESS = "address"
#: How often a recording may cost its process.
TRIES = 2

_TABLE = """
CREATE TABLE IF NOT EXISTS jobs (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT UNIQUE NOT NULL,
    state TEXT NOT NULL,
    file TEXT NOT NULL,
    options TEXT NOT NULL,
    progress REAL NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    created REAL NOT NULL,
    finished REAL
)
"""


class QueueFull(AffuseError):
    """As many jobs wait as may."""


@dataclass(frozen=True)
class Options:
    """What was asked for, as the options of `affuse predict`.

    Args:
        model: Name of the model.
        hop: Seconds from window to window; None as the model does.
        windows: How windows lie, of joint attention; None as the model file says.
        people: Timelines at most.
        voice: Whose the sound is; None as `predict` does.
        low_quality: What becomes of moments of low quality; None as `predict` does.
        formats: Annotation formats, and a table of all people, beside what there always is.
    """

    model: str
    hop: float | None = None
    windows: Windows | None = None
    people: int = 1
    voice: Voice | None = None
    low_quality: LowQuality | None = None
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A recording and what becomes of it.

    Args:
        id: Not to be guessed.
        state: What becomes of it.
        file: Name of the recording in the folder of the job.
        options: What was asked for.
        progress: How much is done, 0 to 1; an estimate.
        error: Why it failed, in one line.
        created: When it came, in seconds since 1970.
        finished: When it was done or failed.
    """

    id: str
    state: State
    file: str
    options: Options
    progress: float
    error: str | None
    created: float
    finished: float | None


class Jobs:
    """The queue in a folder. Threads may share it; of processes one has it.

    Every change is one transaction, which is on the disk when the method returns.

    Args:
        data: The folder; made where there is none.
        most: How many jobs may wait.

    Raises:
        BadInput: The folder cannot be written to, or holds another file of that name.
    """

    def __init__(self, data: Path, most: int) -> None:
        self.data, self.most = data, most
        self._lock = threading.Lock()
        self._came = threading.Condition()
        try:
            (data / "jobs").mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(data, error.strerror or "cannot be written to") from error
        file = data / "jobs.sqlite"
        try:
            self._base = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
            self._base.execute("PRAGMA journal_mode = WAL")
            self._base.execute("PRAGMA synchronous = FULL")
            self._base.execute(_TABLE)
        except sqlite3.Error as error:
            raise BadInput(file, f"cannot be used ({error})") from error
        self._base.row_factory = sqlite3.Row

    def folder(self, job: str) -> Path:
        """The folder of a job."""
        return self.data / "jobs" / job

    def recover(self) -> None:
        """Let jobs that a killed server worked on wait again; remove what belongs to none.

        A job whose results are there is done: they got their name when they were complete.
        """
        with self._changing() as base:
            for row in base.execute("SELECT id FROM jobs WHERE state = 'running'").fetchall():
                if (self.folder(row["id"]) / RESULT).is_dir():
                    self._end(base, row["id"], None)
                else:
                    self._wait_again(base, row["id"])
            known = {row["id"] for row in base.execute("SELECT id FROM jobs")}
        for folder in (self.data / "jobs").iterdir():
            if folder.name not in known:
                shutil.rmtree(folder, ignore_errors=True)

    def new_folder(self) -> Path:
        """An empty folder that nobody else may open, for a job that is going to be added."""
        folder = self.folder(secrets.token_hex(16))
        folder.mkdir(mode=0o700)
        return folder

    def add(self, folder: Path, file: str, options: Options) -> Job:
        """Let a job wait.

        Args:
            folder: From `new_folder`, with the recording in it.
            file: Name of the recording.
            options: What was asked for.

        Raises:
            QueueFull: As many wait as may.
        """
        with self._changing() as base:
            (waiting,) = base.execute("SELECT count(*) FROM jobs WHERE state = 'queued'").fetchone()
            if waiting >= self.most:
                raise QueueFull(f"the queue is full ({waiting:,}); try again later")
            base.execute(
                "INSERT INTO jobs (id, state, file, options, created) "
                "VALUES (?, 'queued', ?, ?, ?)",
                (folder.name, file, json.dumps(asdict(options)), time.time()),
            )
        with self._came:
            self._came.notify_all()
        job = self.get(folder.name)
        assert job is not None
        return job

    def take(self) -> Job | None:
        """The job that waits longest, which runs from now on; None where none waits."""
        with self._changing() as base:
            row = base.execute(
                "UPDATE jobs SET state = 'running', progress = 0 WHERE place = "
                "(SELECT min(place) FROM jobs WHERE state = 'queued') RETURNING *"
            ).fetchone()
        return None if row is None else _job(row)

    def wait(self, seconds: float) -> None:
        """Wait until a job comes, at most so long."""
        with self._came:
            self._came.wait(seconds)

    def reach(self, job: str, share: float) -> None:
        """A running job has come so far; it never goes back."""
        with self._changing() as base:
            base.execute(
                "UPDATE jobs SET progress = max(progress, ?) WHERE id = ? AND state = 'running'",
                (share, job),
            )

    def finish(self, job: str, error: str | None) -> None:
        """A running job is done, or failed with an error."""
        with self._changing() as base:
            self._end(base, job, error)

    def wait_again(self, job: str) -> None:
        """A running job waits again where it stood, for the server stops."""
        with self._changing() as base:
            self._wait_again(base, job)

    def died(self, job: str, error: str) -> bool:
        """The process of a running job died; it waits again after all others, or has failed.

        Returns:
            Whether it waits again.
        """
        with self._changing() as base:
            row = base.execute(
                "UPDATE jobs SET deaths = deaths + 1, progress = 0, state = 'queued', "
                "place = (SELECT max(place) + 1 FROM jobs) "
                "WHERE id = ? AND state = 'running' AND deaths + 1 < ? RETURNING id",
                (job, TRIES),
            ).fetchone()
            if row is None:
                self._end(base, job, error)
        with self._came:
            self._came.notify_all()
        return row is not None

    def get(self, job: str) -> Job | None:
        """A job; None where there is none of that id."""
        with self._lock:
            row = self._base.execute("SELECT * FROM jobs WHERE id = ?", (job,)).fetchone()
        return None if row is None else _job(row)

    def remove(self, job: str) -> bool:
        """Forget a job, whatever its state; its folder stays. Returns whether there was one."""
        with self._changing() as base:
            return base.execute("DELETE FROM jobs WHERE id = ?", (job,)).rowcount > 0

    def finished_before(self, moment: float) -> list[str]:
        """Ids of the jobs that were done or failed before a moment, in seconds since 1970."""
        with self._lock:
            rows = self._base.execute("SELECT id FROM jobs WHERE finished < ?", (moment,))
            return [row["id"] for row in rows]

    def counts(self) -> dict[State, int]:
        """How many jobs there are in each state."""
        counts: dict[State, int] = {"queued": 0, "running": 0, "done": 0, "failed": 0}
        with self._lock:
            rows = self._base.execute("SELECT state, count(*) FROM jobs GROUP BY state")
            return counts | {row[0]: row[1] for row in rows}

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._base.close()

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction."""
        with self._lock:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")

    @staticmethod
    def _end(base: sqlite3.Connection, job: str, error: str | None) -> None:
        base.execute(
            "UPDATE jobs SET state = ?, error = ?, finished = ?, "
            "progress = CASE WHEN ? IS NULL THEN 1 ELSE progress END "
            "WHERE id = ? AND state = 'running'",
            ("done" if error is None else "failed", error, time.time(), error, job),
        )

    @staticmethod
    def _wait_again(base: sqlite3.Connection, job: str) -> None:
        base.execute(
            "UPDATE jobs SET state = 'queued', progress = 0 WHERE id = ? AND state = 'running'",
            (job,),
        )


def _job(row: sqlite3.Row) -> Job:
    facts: dict[str, Any] = dict(row)
    del facts["place"], facts["deaths"]
    return Job(**facts | {"options": Options(**json.loads(row["options"]))})
