"""Map a function over many inputs, here or in worker processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_unordered(function: Callable[[T], R], inputs: Iterable[T], workers: int = 1) -> Iterator[R]:
    """Yield `function(x)` for every input, in the order in which they finish.

    Args:
        function: A picklable function when `workers` > 1.
        inputs: Picklable inputs when `workers` > 1.
        workers: 1 runs here; more runs in spawned processes with one thread each.

    An interrupt or an exception cancels what has not started.
    """
    if workers <= 1:
        yield from map(function, inputs)
        return
    pool = ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_one_thread
    )
    try:
        for future in as_completed([pool.submit(function, item) for item in inputs]):
            yield future.result()
    except BaseException:
        running = list(pool._processes.values())  # shutdown forgets them
        pool.shutdown(wait=False, cancel_futures=True)
        for process in running:
            process.terminate()
        raise
    pool.shutdown()


def _one_thread() -> None:
    """Keep a worker to one core and leave Ctrl-C to the parent."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2
    import torch

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
