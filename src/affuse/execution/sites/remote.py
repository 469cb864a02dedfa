"""What Parsl calls at a site: one input, worked on in a process that may die or hang."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.execution.crew import Crew, Lost, Refused, Stopped
from affuse.execution.worker import Place

#: What came of it: `("done", pickled result)`, `("lost", what happened, what was told)`,
#: `("error", exception)`.
Outcome = tuple[Any, ...]

_busy: set[Crew[bytes, bytes]] = set()
_lock = threading.Lock()


@dataclass(frozen=True)
class Work:
    """What is done with every input.

    Args:
        function: File with the pickled function; it is there while somebody wants the results.
        place: Where it is called.
        limit: Seconds that an input may take; any with None.
        threads: Of the process that works on it.
    """

    function: Path
    place: Place
    limit: float | None
    threads: int


def packed(function: bytes) -> bytes:
    """A pickled function as one from pickled inputs to pickled results.

    What passes inputs and results on need not import what they are made of.
    """
    return pickle.dumps(partial(_call, function))


def _call(function: bytes, item: bytes) -> bytes:
    called: Callable[[Any], Any] = pickle.loads(function)
    return pickle.dumps(called(pickle.loads(item)))


def do(work: Work, item: bytes) -> Outcome:
    """Work on a pickled input; see `Outcome`."""
    try:
        function = work.function.read_bytes()
    except OSError as error:
        reason = f"{work.function}: cannot be read at the site ({error.strerror})"
        return "error", AffuseError(reason)
    crew: Crew[bytes, bytes] = Crew(function, work.limit, work.threads, work.place)
    with _lock:
        _busy.add(crew)
    try:
        (done,) = crew.work(iter([item]), 1)
        if isinstance(done, Lost):
            return "lost", done.reason, done.told
        return "done", done.result
    except Refused as refused:
        return "error", AffuseError(f"the site cannot call it ({refused.error})")
    except Stopped:
        return "error", AffuseError("is wanted no more")
    except Exception as error:  # the function's own goes back to who wants the result
        return "error", error
    finally:
        with _lock:
            _busy.discard(crew)
        crew.dismiss()


def stop() -> None:
    """End what threads of this process work on."""
    with _lock:
        for crew in _busy:
            crew.stop()
