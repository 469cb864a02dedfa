"""Map a function over many inputs in worker processes that may die or hang.

Each worker has its own pair of pipes and at most one input, so that whatever happens to it costs
this input alone: a pool on a shared queue breaks as a whole when one of its processes dies.
"""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import queue
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Generic, TypeVar

from affuse.errors import AffuseError
from affuse.execution.worker import Message, Worker

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)

#: Seconds in which a worker has to begin: it imports what the function needs.
_BEGIN = 300.0
#: Seconds in which workers may clean up after an interrupt.
_PATIENCE = 2.0
#: Workers that may die one after the other before they begin.
_ATTEMPTS = 3

_idle: list[Worker] = []


def map_unordered(
    function: Callable[[T], R],
    inputs: Iterable[T],
    workers: int = 1,
    *,
    limit: float | None = None,
    lost: Callable[[T, str, Sequence[Any]], R] | None = None,
    alone: bool = False,
) -> Iterator[R]:
    """Yield `function(x)` for every input, in the order in which they finish.

    Each input is worked on in a process with one thread. When that dies (a signal, memory, an exit)
    or takes too long, its input is tried once more, alone, after all others; the others go on.

    Args:
        function: Picklable; one that other processes cannot import is called here, where nothing
            survives its death.
        inputs: Picklable; taken one by one as workers become free.
        workers: Number of processes; with 1, results come in the order of the inputs, but for
            those that were tried again.
        limit: Seconds that an input may take; the function may ask for others with
            `affuse.execution.worker.allow`. Any by default.
        lost: Makes the result of an input whose process died or was given up twice from the input,
            what happened, such as "was killed by signal 11 (SIGSEGV)", and what it had told of
            this input with `affuse.execution.worker.tell`.
        alone: Whether a worker may have threads on all processors, for there is no other.

    Raises:
        AffuseError: A process died twice, and there is no `lost`; or none can be started.

    An interrupt or an exception of the function ends the processes that work.
    """
    try:
        crew: _Crew[T, R] = _Crew(pickle.dumps(function), limit, alone)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        yield from _here(function, inputs, error)
        return
    suspects: list[T] = []
    items = iter(inputs)
    try:
        for done in crew.work(items, workers):
            if isinstance(done, _Lost):
                suspects.append(done.item)
            else:
                yield done.result
        for item in suspects:
            for done in crew.work(iter([item]), 1):
                if isinstance(done, _Done):
                    yield done.result
                elif lost is None:
                    raise AffuseError(f"a worker process {done.reason}")
                else:
                    yield lost(done.item, done.reason, done.told)
    except _Refused as refused:
        yield from _here(function, chain(refused.items, items), refused.error)
    finally:
        crew.dismiss()


def _here(function: Callable[[T], R], items: Iterable[T], error: Exception) -> Iterator[R]:
    log.warning(
        "working in this process, for others cannot import what is called (%s); "
        "put it into a module of its own",
        error,
    )
    yield from map(function, items)


@dataclass
class _Done(Generic[R]):
    """What came of an input."""

    result: R


@dataclass
class _Lost(Generic[T]):
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


class _Refused(Exception):
    """Other processes cannot open the function."""

    def __init__(self, items: list[Any], error: Exception) -> None:
        self.items, self.error = items, error


class _Crew(Generic[T, R]):
    """Workers for one function."""

    def __init__(self, function: bytes, limit: float | None, alone: bool) -> None:
        self.function, self.limit, self.alone = function, limit, alone
        self.events: queue.SimpleQueue[tuple[Worker, Message | None]] = queue.SimpleQueue()
        self.free: list[Worker] = []
        self.busy: dict[Worker, _Job[T]] = {}
        self.failed = 0

    def work(self, items: Iterator[T], count: int) -> Iterator[_Done[R] | _Lost[T]]:
        """Have inputs worked on by up to so many workers; each comes back once."""
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
                    yield _Done(result)
                case ("error", error):
                    raise error
                case ("refused", error):
                    raise _Refused([*again, *(job.item for job in self.busy.values())], error)
                case _:
                    late = message is not None
                    del self.busy[worker]
                    reason = ending(worker.end(), job.limit if late else None)
                    if job.begun:
                        yield _Lost(job.item, reason, job.told)
                    else:
                        if job.new:  # one that idled may end just now
                            self._not_begun(reason)
                        again.append(job.item)

    def _begin(self, item: T) -> None:
        fitting = [worker for worker in _idle if worker.alone == self.alone]
        while not self.free and fitting:
            _idle.remove(worker := fitting.pop())
            if worker.report_to(self.events):
                self.free.append(worker)
            else:
                worker.end()
        new = not self.free
        worker = Worker(self.events, self.alone) if new else self.free.pop()
        self.busy[worker] = _Job(item, new, time.monotonic() + _BEGIN, _BEGIN)
        worker.begin(self.function, item)

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
            if worker in self.busy:
                return worker, message
            if message is None and worker in self.free:
                self.free.remove(worker)

    def _not_begun(self, reason: str) -> None:
        self.failed += 1
        if self.failed >= _ATTEMPTS:
            raise AffuseError(f"a worker process {reason} before it began")

    def dismiss(self) -> None:
        """End who is busy; who is free waits a while for the next map."""
        for worker in self.busy:
            worker.ask_to_end()
        until = time.monotonic() + _PATIENCE
        for worker in self.busy:
            worker.end(max(until - time.monotonic(), 0))
        self.busy.clear()
        _idle.extend(worker for worker in self.free if worker.living)
        self.free.clear()


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
