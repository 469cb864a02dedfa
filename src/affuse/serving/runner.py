"""Has the jobs of the queue worked on, each in a process that may crash or hang."""

from __future__ import annotations

import logging
import pickle
import queue
import shutil
import threading
import time
from collections.abc import Callable
from typing import Any

from affuse.errors import AffuseError, line_of
from affuse.execution.crew import ending
from affuse.execution.worker import Message, Worker
from affuse.serving.jobs import Job, Jobs
from affuse.serving.segments import corrected
from affuse.serving.settings import Settings
from affuse.serving.work import Order, work

log = logging.getLogger(__name__)

#: Seconds in which a process has to begin: it imports what the work needs.
_BEGIN = 300.0
#: Processes that may end one after the other before they begin with a job.
_STARTS = 3
#: Seconds between two looks for a job that nobody announced.
_LOOK = 1.0
_WORK = pickle.dumps(work)

#: Told of a job that is over: its state, and the seconds that it took.
Over = Callable[[str, float], None]


class Runner(threading.Thread):
    """A thread that takes one job after the other and has a process of its own.

    Args:
        jobs: The queue.
        settings: Of the server.
        over: Told of every job that is over.
    """

    def __init__(self, jobs: Jobs, settings: Settings, over: Over) -> None:
        super().__init__(daemon=True)
        self._jobs, self._settings, self._over = jobs, settings, over
        # of the process, and with None for a sender those of `drop` and `stop`
        self._events: queue.SimpleQueue[tuple[Any, Message | None]] = queue.SimpleQueue()
        self._worker: Worker | None = None
        self._current: str | None = None
        self._let_go = threading.Condition()
        self._stopping = False

    def run(self) -> None:
        """Work until `stop`."""
        while not self._stopping:
            job = self._jobs.take()
            if job is None:
                self._jobs.wait(_LOOK)
                continue
            self._current, began = job.id, time.monotonic()
            try:
                state = self._do(job)
            except Exception as error:  # nothing that a job does may end the thread
                self._end_worker()
                self._jobs.finish(job.id, line_of(error))
                state = "failed"
            with self._let_go:
                self._current = None
                self._let_go.notify_all()
            if state in ("done", "failed"):
                self._over(state, time.monotonic() - began)
            log.info("job %s: %s after %.1f s", job.id, state, time.monotonic() - began)
        self._end_worker()

    def drop(self, job: str, patience: float = 10.0) -> None:
        """End the work on a job that was removed; returns when nobody touches its folder."""
        if self._current == job:
            self._events.put((None, ("drop", job)))
            with self._let_go:
                self._let_go.wait_for(lambda: self._current != job, patience)

    def stop(self) -> None:
        """Stop soon; the running job waits for the next start of the server."""
        self._stopping = True
        self._events.put((None, ("stop",)))

    def _do(self, job: Job) -> str:
        """Have a job worked on; returns what became of it."""
        if self._jobs.get(job.id) is None:  # removed before `drop` could know who has it
            return "deleted"
        model = self._settings.models.get(job.options.model)
        if model is None:
            self._jobs.finish(job.id, f"the model {job.options.model} is not served any more")
            return "failed"
        order = Order(
            self._jobs.folder(job.id),
            job.file,
            model,
            job.options,
            self._settings.limits,
            self._settings.hosts,
            self._settings.device,
        )
        for _ in range(_STARTS):
            state = self._ask(job, order)
            if state is not None:
                return state
        raise AffuseError("a worker process ended before it began")

    def _ask(self, job: Job, order: Order) -> str | None:
        """Give a job to the process; returns what became of it, None where it did not begin."""
        worker = self._living_worker()
        worker.begin(_WORK, order)
        begun, limit = False, _BEGIN
        deadline = time.monotonic() + limit
        while True:
            message = self._next(worker, deadline)
            match message:
                case ("begun",):
                    begun = True
                case ("limit", seconds):
                    limit, deadline = seconds, time.monotonic() + seconds
                case ("told", share):
                    self._jobs.reach(job.id, share)
                case ("result", error):
                    self._jobs.finish(job.id, error)
                    return "done" if error is None else "failed"
                case ("error", error) | ("refused", error):
                    raise error
                case ("drop", dropped):
                    if dropped == job.id:
                        self._end_worker()
                        return "deleted"
                case ("stop",):
                    self._end_worker()
                    self._jobs.wait_again(job.id)
                    return "waits for the next start"
                case ("late",):
                    reason = ending(self._end_worker(), limit)
                    self._jobs.finish(job.id, _lost(job, reason))
                    return "failed"
                case _:
                    reason = ending(self._end_worker(), None)
                    if not begun:
                        return None
                    again = self._jobs.died(job.id, _lost(job, reason))
                    return "tried again" if again else "failed"

    def _next(self, worker: Worker, deadline: float) -> Message | None:
        """What the process says, or is said about it; `("late",)` when its time is up."""
        while True:
            try:
                sender, message = self._events.get(timeout=max(deadline - time.monotonic(), 0))
            except queue.Empty:
                return ("late",)
            if sender in (worker, None):
                return message

    def _living_worker(self) -> Worker:
        if self._worker is None or not self._worker.living:
            self._end_worker()
            self._worker = Worker(self._events, threads=None)
        return self._worker

    def _end_worker(self) -> int | None:
        worker, self._worker = self._worker, None
        return None if worker is None else worker.end()


class Crew:
    """As many runners as jobs are worked on at once, and one who deletes old jobs.

    Args:
        jobs: The queue.
        settings: Of the server.
        over: Told of every job that is over.
    """

    def __init__(self, jobs: Jobs, settings: Settings, over: Over) -> None:
        self._jobs, self._keep = jobs, settings.keep
        self._runners = [Runner(jobs, settings, over) for _ in range(settings.limits.at_once)]
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._delete_old, daemon=True)

    def start(self) -> None:
        """Begin with what waits."""
        for thread in (*self._runners, self._keeper):
            thread.start()

    def stop(self) -> None:
        """Let running jobs wait for the next start, and end the processes."""
        self._stopping.set()
        for runner in self._runners:
            runner.stop()
        for thread in (*self._runners, self._keeper):
            thread.join()

    def delete(self, job: str) -> bool:
        """Delete a job with all its files, whatever its state. Returns whether there was one."""
        if not self._jobs.remove(job):
            return False
        for runner in self._runners:
            runner.drop(job)
        shutil.rmtree(self._jobs.folder(job), ignore_errors=True)
        return True

    def _delete_old(self) -> None:
        pause = min(max(self._keep / 10, 0.1), 60.0)
        while not self._stopping.wait(pause):
            before = time.time() - self._keep
            for job in self._jobs.finished_before(before):
                if corrected(self._jobs.folder(job)) < before:
                    self.delete(job)


def _lost(job: Job, reason: str) -> str:
    return f"{job.file}: the process that decoded it {reason}"
