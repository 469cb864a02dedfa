"""Workers for one function, each of which has at most one input.

Each worker has its own pair of pipes, so that whatever happens to it costs its input alone: a pool
on a shared queue breaks as a whole when one of its processes dies.
"""

from __future__ import annotations

import atexit
import os
import queue
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from affuse.errors import AffuseError
from affuse.execution.worker import Message, Place, Worker

T = TypeVar("T")
R = TypeVar("R")

#: Seconds in which a worker has to begin: it imports what the function needs.
_BEGIN = 300.0
#: Seconds in which workers may clean up after an interrupt.
_PATIENCE = 2.0
#: Workers that may die one after the other before they begin.
_ATTEMPTS = 3

_idle: list[Worker] = []
_idle_lock = threading.Lock()


@dataclass
class Done(Generic[R]):
    """What came of an input."""

    result: R


@dataclass
class Lost(Generic[T]):
    """An input whose process died: what happened, and what it had told until then."""

    item: T
    reason: str
    told: Sequence[Any]


@dataclass
class _Job(Generic[T]):
    item: T
    new: bool  # whether its worker has done nothing yet
    deadline: float | None
    limit: float | None = None
    begun: bool = False
    told: list[Any] = field(default_factory=list)


class Refused(Exception):
    """Other processes cannot open the function."""

    def __init__(self, items: list[Any], error: Exception) -> None:
        self.items, self.error = items, error


class Stopped(Exception):
    """The work is wanted no more."""


class Crew(Generic[T, R]):
    """Workers for one function.

    Args:
        function: Pickled.
        limit: Seconds that an input may take; any with None.
        threads: Of each worker; with None those of all processors.
        place: Where the function is called; that of this process by default.
    """

    def __init__(
        self,
        function: bytes,
        limit: float | None,
        threads: int | None = 1,
        place: Place | None = None,
    ) -> None:
        self.function, self.limit, self.threads, self.place = function, limit, threads, place
        self.events: queue.SimpleQueue[tuple[Worker | None, Message | None]] = queue.SimpleQueue()
        self.free: list[Worker] = []
        self.busy: dict[Worker, _Job[T]] = {}
        self.failed = 0

    def work(self, items: Iterator[T], count: int) -> Iterator[Done[R] | Lost[T]]:
        """Have inputs worked on by up to so many workers; each comes back once.

        Raises:
            AffuseError: No worker can be started, or the function's own.
            Refused: Workers cannot open the function.
            Stopped: Another thread called `stop`.
        """
        again: list[T] = []
        more = True
        while True:
            while (again or more) and len(self.busy) < max(count, 1):
                try:
                    self._begin(again.pop() if again else next(items))
                except StopIteration:
                    more = False
            if not self.busy:
                return
            worker, message = self._next()
            job = self.busy[worker]
            match message:
                case ("begun",):
                    job.begun, self.failed = True, 0
                    self._allow(job, self.limit)
                case ("limit", seconds):
                    self._allow(job, seconds)
                case ("told", what):
                    job.told.append(what)
                case ("result", result):
                    self.free.append(worker)
                    del self.busy[worker]
                    yield Done(result)
                case ("error", error):
                    raise error
                case ("refused", error):
                    raise Refused([*again, *(job.item for job in self.busy.values())], error)
                case _:
                    late = message is not None
                    del self.busy[worker]
                    reason = ending(worker.end(), job.limit if late else None)
                    if job.begun:
                        yield Lost(job.item, reason, job.told)
                    else:
                        if job.new:  # one that idled may end just now
                            self._not_begun(reason)
                        again.append(job.item)

    def _begin(self, item: T) -> None:
        while not self.free and (worker := _taken(self.threads)):
            if worker.report_to(self.events):
                self.free.append(worker)
            else:
                worker.end()
        new = not self.free
        worker = Worker(self.events, self.threads) if new else self.free.pop()
        self.busy[worker] = _Job(item, new, time.monotonic() + _BEGIN, _BEGIN)
        worker.begin(self.function, item, self.place)

    def _allow(self, job: _Job[T], seconds: float | None) -> None:
        job.limit = seconds
        job.deadline = None if seconds is None else time.monotonic() + seconds

    def _next(self) -> tuple[Worker, Message | None]:
        """The next message of a busy worker; `("late",)` when its time is up."""
        while True:
            waiting = [(j.deadline, w) for w, j in self.busy.items() if j.deadline is not None]
            first, late = min(waiting, key=lambda pair: pair[0], default=(None, None))
            left = None if first is None else max(first - time.monotonic(), 0)
            try:
                worker, message = self.events.get(timeout=left)
            except queue.Empty:
                if late is not None:
                    return late, ("late",)
                continue
            if worker is None:
                raise Stopped
            if worker in self.busy:
                return worker, message
            if message is None and worker in self.free:
                self.free.remove(worker)

    def _not_begun(self, reason: str) -> None:
        self.failed += 1
        if self.failed >= _ATTEMPTS:
            raise AffuseError(f"a worker process {reason} before it began")

    def stop(self) -> None:
        """From another thread: end the work."""
        self.events.put((None, None))

    def dismiss(self) -> None:
        """End who is busy; who is free waits a while for the next map."""
        for worker in self.busy:
            worker.ask_to_end()
        until = time.monotonic() + _PATIENCE
        for worker in self.busy:
            worker.end(max(until - time.monotonic(), 0))
        self.busy.clear()
        with _idle_lock:
            _idle.extend(worker for worker in self.free if worker.living)
        self.free.clear()


def _taken(threads: int | None) -> Worker | None:
    """A worker with so many threads that has nothing to do."""
    with _idle_lock:
        worker = next((one for one in reversed(_idle) if one.threads == threads), None)
        if worker is not None:
            _idle.remove(worker)
        return worker


def ending(code: int | None, limit: float | None) -> str:
    """What happened to a process, as the end of a sentence about it.

    Args:
        code: Its exit code, below zero for signals; None where it has not ended.
        limit: Seconds that it was given, where they are over.
    """
    if limit is not None:
        return f"took longer than {limit:.0f} s" if limit >= 10 else f"took longer than {limit:g} s"
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        name = f" ({signal.Signals(-code).name})"
    except ValueError:
        name = ""
    memory = "; perhaps there was no memory left" if -code == signal.SIGKILL else ""
    return f"was killed by signal {-code}{name}{memory}"


@atexit.register
def _dismiss_idle() -> None:
    for worker in _idle:
        worker.end()
    _idle.clear()


if hasattr(os, "register_at_fork"):  # the workers are those of the parent
    os.register_at_fork(after_in_child=_idle.clear)
