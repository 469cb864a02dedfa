"""Many recordings, none of which costs the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from affuse.errors import BadInput
from affuse.execution.executors import map_unordered
from affuse.execution.worker import allow
from affuse.inference.many import attempt

P = TypeVar("P")
R = TypeVar("R")


def predict_all(
    paths: Sequence[Path],
    predictor: Callable[[], P],
    each: Callable[[P, Path], R],
    jobs: int | None = None,
) -> Iterator[tuple[Path, R | BadInput]]:
    """Apply a model to recordings in processes of their own, which may die at one of them.

    Args:
        paths: The recordings.
        predictor: Picklable; makes the predictor, or what reads recordings otherwise, once per
            process.
        each: Picklable; what is done with every recording. What it returns is sent back.
        jobs: How many recordings are worked on at once, each with one thread, so that numbers do
            not depend on how many; by default one, with threads on all processors.

    Yields:
        The recording, and what `each` returned or why it cannot be used. Recordings at which the
        process died or took too long are tried once more after the others.

    Raises:
        AffuseError: The predictor cannot be made.
    """
    yield from map_unordered(
        _Each(predictor, each), paths, workers=jobs or 1, lost=_lost, alone=jobs is None
    )


def _lost(path: Path, reason: str, _: object) -> tuple[Path, BadInput]:
    return path, BadInput(path, f"the process that decoded it {reason}")


class _Each(Generic[P, R]):
    def __init__(self, predictor: Callable[[], P], each: Callable[[P, Path], R]) -> None:
        self.make, self.each = predictor, each
        self.predictor: P | None = None

    def __call__(self, path: Path) -> tuple[Path, R | BadInput]:
        if self.predictor is None:
            self.predictor = self.make()
        predictor = self.predictor
        from affuse.media.allowance import time_limit

        def limited(path: Path) -> R:
            allow(time_limit([path]))
            return self.each(predictor, path)

        return path, attempt(limited, path)
