"""Progress bars on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

from affuse.errors import shown
from affuse.execution.terminal import bar_stream

T = TypeVar("T")

#: Set where bars are wanted, also for worker processes.
_BARS = "AFFUSE_BARS"
#: Set for a process that is one of several, whose bars would be drawn over each other.
NO_BARS = "AFFUSE_NO_BARS"


@contextmanager
def bars() -> Iterator[None]:
    """Within the block bars are drawn, on a terminal; elsewhere none is."""
    before = os.environ.get(_BARS)
    os.environ[_BARS] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_BARS, None)


def bars_wanted() -> bool:
    """Whether somebody wants to see bars."""
    return _BARS in os.environ and NO_BARS not in os.environ


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield the items while a bar on stderr shows count, share and remaining time.

    The bar is drawn within `bars`, on a terminal only, so that logs stay readable.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    if total is None and isinstance(items, Sized):
        total = len(items)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with _bar(*columns) as bar:
        task = bar.add_task(shown(label), total=total)
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def byte_progress(label: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on stderr in bytes with speed and remaining time, on a terminal only.

    Yields:
        A function to call with the bytes done and in total (None: not known).
    """
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with _bar(*columns) as bar:
        task = bar.add_task(shown(label), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _bar(*columns: Any) -> Any:
    """A bar on the standard error, on a terminal only.

    What is printed meanwhile goes above it, unless the standard output goes elsewhere.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(file=bar_stream())
    return Progress(
        *columns,
        console=console,
        disable=not (bars_wanted() and console.is_terminal),
        redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
    )
