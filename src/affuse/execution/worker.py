"""A process that works for this one and may die without it."""

from __future__ import annotations

import ctypes
import logging
import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any

from affuse.errors import AffuseError
from affuse.execution.logs import say_as_parent
from affuse.execution.progress import NO_BARS

#: How many threads libraries have; they read these when they are loaded.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
#: Seconds after which a worker that has nothing to do ends.
_IDLE = 60.0
#: Added to how gladly Linux ends a process when memory runs out: workers go before their parent.
_OOM_SCORE = "500"
_PR_SET_PDEATHSIG = 1
_SIZE = struct.Struct("<Q")
_START = "import sys; sys.path[:] = {path!r}; from affuse.execution.worker import serve; serve()"

Message = tuple[Any, ...]
Events = queue.SimpleQueue[Any]
_send: Callable[[Message], None] | None = None  # in a worker: to its parent


@dataclass(frozen=True)
class Place:
    """Where a function is called.

    Args:
        path: Folders from which it imports.
        folder: The current one; None where it is gone.
        environment: Variables beside those of the worker.
    """

    path: Sequence[str]
    folder: Path | None
    environment: Mapping[str, str] = field(default_factory=dict)


def here() -> Place:
    """The place of this process."""
    try:
        return Place(list(sys.path), Path.cwd())
    except OSError:
        return Place(list(sys.path), None)


def allow(seconds: float | None) -> None:
    """In a worker: so many seconds may pass from now until it is given up; elsewhere, nothing."""
    if _send is not None:
        _send(("limit", seconds))


def tell(what: Any) -> None:
    """In a worker: what to know of the input should the worker die; elsewhere, nothing."""
    if _send is not None:
        _send(("told", what))


class Worker:
    """The parent's side of a worker process.

    Args:
        events: Where `(worker, message)` is put: `("begun",)`, `("limit", seconds)`,
            `("told", value)`, `("result", value)`, `("error", exception)`, `("refused", exception)`
            where the function cannot be opened there, and None when the process has ended.
        threads: That it may have; with None it has the processors to itself.
    """

    def __init__(self, events: Events, threads: int | None = 1) -> None:
        self.threads = threads
        self._events, self._silent, self._lock = events, False, threading.Lock()
        self._function: bytes | None = None
        # what it leaves there goes with it, however it ends
        self._folder = TemporaryDirectory(prefix="affuse-", ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START.format(path=sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment(),
            )
        except OSError as error:
            raise AffuseError(f"cannot start a worker process ({error.strerror})") from error
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def living(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    def report_to(self, events: Events) -> bool:
        """Put events elsewhere from now on.

        Returns:
            Whether there will be any: a process that has told its end may still be there.
        """
        with self._lock:
            self._events = events
            return not self._silent

    def begin(self, function: bytes, item: Any, place: Place | None = None) -> None:
        """Have a pickled function called on an input; what comes of it is an event."""
        assert self._process.stdin is not None
        place = place or here()
        try:
            if function != self._function:
                told = place.path, place.folder, self._environment() | dict(place.environment)
                write_message(self._process.stdin, pickle.dumps(("load", *told, function)))
                self._function = function
            write_message(self._process.stdin, pickle.dumps(("do", item)))
        except OSError:  # it died before it could say so
            with self._lock:
                self._events.put((self, None))

    def _environment(self) -> dict[str, str]:
        folder = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), self._folder.name)
        if self.threads is None:
            return os.environ | folder
        return os.environ | folder | dict.fromkeys(_THREADS, str(self.threads)) | {NO_BARS: "1"}

    def ask_to_end(self) -> None:
        """Let the process clean up and end; it may be in no state to."""
        self._process.terminate()

    def end(self, patience: float = 0.0) -> int | None:
        """End the process where it has not; returns its exit code, below zero for signals.

        Args:
            patience: Seconds in which it may end by itself.
        """
        with suppress(subprocess.TimeoutExpired):
            if patience:
                self._process.wait(patience)
        self._process.kill()
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:  # it waits for a disk and dies after that
            return None
        finally:
            self._folder.cleanup()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        message: Message | None = ("",)
        while message is not None:
            try:
                message = pickle.loads(read_message(self._process.stdout))
            except Exception:  # it ended, or its memory is not what it was
                message = None
            with self._lock:
                self._silent = message is None
                self._events.put((self, message))
        self._process.stdout.close()


def serve() -> None:
    """In a worker: do what the parent says until it says no more."""
    global _send
    incoming, outgoing = take_pipes()
    end_with_parent()
    say_as_parent()
    signal.signal(signal.SIGTERM, _end)
    lock = threading.Lock()

    def send(message: Message) -> None:
        data = _pickled(message)
        with lock:
            write_message(outgoing, data)

    _send = send
    orders: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(incoming, orders), daemon=True).start()
    with suppress(_Ended):
        _follow(orders, send)


def take_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """In a process that was started for this: its standard input and output, for nobody else."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)  # what libraries print is no message
    return incoming, outgoing


def _follow(orders: queue.SimpleQueue[bytes], send: Callable[[Message], None]) -> None:
    """Do one order after the other until none comes for a while."""
    function: Callable[[Any], Any] | None = None
    while True:
        try:
            order = pickle.loads(orders.get(timeout=_IDLE))
        except queue.Empty:
            return
        try:
            if order[0] == "load":
                _, sys.path[:], folder, environment, pickled = order
                if folder is not None:
                    os.chdir(folder)
                os.environ.update(environment)
                function = None
                function = pickle.loads(pickled)
                continue
        except BaseException as error:
            send(("refused", error))
            continue
        if function is not None:
            send(("begun",))
            send(_called(function, order[1]))


class _Ended(BaseException):
    """The parent asks to clean up and end."""


def _end(*_: object) -> None:
    raise _Ended


def _called(function: Callable[[Any], Any], item: Any) -> Message:
    try:
        return "result", function(item)
    except _Ended:
        os._exit(0)  # temporary files are removed
    except BaseException as error:
        error.add_note("in a worker process:\n" + traceback.format_exc())
        return "error", error


def _pickled(message: Message) -> bytes:
    """A message as bytes; what cannot be sent is told as an error."""
    try:
        data = pickle.dumps(message)
        if message[0] in ("error", "refused"):
            pickle.loads(data)  # exceptions with arguments of their own fail only here
    except Exception:
        what = message[1]
        kind = type(what).__name__
        if isinstance(what, AffuseError):
            message = (message[0], AffuseError(str(what)))
        elif isinstance(what, BaseException):
            message = (message[0], RuntimeError(f"{kind}: {what}"))
        else:
            message = ("error", TypeError(f"a worker cannot send back a {kind}"))
        data = pickle.dumps(message)
    return data


def end_with_parent() -> None:
    """Leave Ctrl-C to the parent, and end when it does, however that ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


def _hear(incoming: IO[bytes], orders: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            orders.put(read_message(incoming))
    except (EOFError, OSError):  # the parent is gone, or has no use for this process
        logging.shutdown()
        os._exit(0)


def framed(data: bytes) -> bytes:
    """Bytes with what `read_message` needs to know before them."""
    return _SIZE.pack(len(data)) + data


def write_message(file: IO[bytes], data: bytes) -> None:
    """Write what `read_message` reads."""
    file.write(framed(data))
    file.flush()


def read_message(file: IO[bytes]) -> bytes:
    """One message.

    Raises:
        EOFError: The other side has gone.
    """
    head = file.read(_SIZE.size)
    if len(head) < _SIZE.size:
        raise EOFError
    (size,) = _SIZE.unpack(head)
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data
