"""Map a function over many inputs in worker processes that may die or hang."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, TypeVar

from affuse.errors import AffuseError
from affuse.execution.crew import Crew, Done, Lost, Refused

T = TypeVar("T")
R = TypeVar("R")

log = logging.getLogger(__name__)


class Executor(Protocol):
    """Where the inputs of a function are worked on."""

    def map(
        self,
        function: Callable[[T], R],
        inputs: Iterable[T],
        *,
        limit: float | None = None,
        lost: Callable[[T, str, Sequence[Any]], R] | None = None,
    ) -> Iterator[R]:
        """Yield `function(x)` for every input, in the order in which they finish.

        Args and errors are those of `map_unordered`.
        """


@dataclass(frozen=True)
class Processes:
    """Processes of this machine, each with one thread.

    Args:
        workers: How many.
    """

    workers: int = 1

    def map(
        self,
        function: Callable[[T], R],
        inputs: Iterable[T],
        *,
        limit: float | None = None,
        lost: Callable[[T, str, Sequence[Any]], R] | None = None,
    ) -> Iterator[R]:
        """See `Executor`."""
        return map_unordered(function, inputs, self.workers, limit=limit, lost=lost)


class Workers(Protocol[T, R]):
    """What works on inputs: `Crew`, or the workers of a site."""

    def work(self, items: Iterator[T], count: int) -> Iterator[Done[R] | Lost[T]]:
        """Have inputs worked on by up to so many workers; each comes back once."""

    def dismiss(self) -> None:
        """End who is busy."""


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
    threads = None if alone else 1
    yield from map_with(lambda data: Crew(data, limit, threads), function, inputs, workers, lost)


def map_with(
    workers: Callable[[bytes], Workers[T, R]],
    function: Callable[[T], R],
    inputs: Iterable[T],
    count: int,
    lost: Callable[[T, str, Sequence[Any]], R] | None,
) -> Iterator[R]:
    """`map_unordered` by other workers.

    Args:
        workers: Makes them from the pickled function.
        function: As there.
        inputs: As there.
        count: How many inputs are worked on at once.
        lost: As there.
    """
    try:
        data = pickle.dumps(function)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        yield from _here(function, inputs, error)
        return
    crew = workers(data)
    suspects: list[T] = []
    items = iter(inputs)
    try:
        for done in crew.work(items, count):
            if isinstance(done, Lost):
                suspects.append(done.item)
            else:
                yield done.result
        for item in suspects:
            for done in crew.work(iter([item]), 1):
                if isinstance(done, Done):
                    yield done.result
                elif lost is None:
                    raise AffuseError(f"a worker process {done.reason}")
                else:
                    yield lost(done.item, done.reason, done.told)
    except Refused as refused:
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
