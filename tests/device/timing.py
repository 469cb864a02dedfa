"""Seconds of work on a device, which goes on after its call returned."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def settle(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()


def seconds(run: Callable[[], object], device: str, repeats: int, warm: int = 2) -> float:
    """Median seconds of a call, after some that do not count."""
    for _ in range(warm):
        run()
    taken = []
    for _ in range(repeats):
        settle(device)
        began = time.perf_counter()
        run()
        settle(device)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def without_tf32() -> None:
    """Have 32 bits mean 32 bits."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
