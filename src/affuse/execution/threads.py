"""How threads wait for one another, and how many there are where a machine is shared.

OpenMP's threads spin while they wait. That gains nothing measurable here and, as soon as another
process wants a processor, costs the time that it takes away: docs/results/speed.md.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Read by the OpenMP libraries of GCC, Intel and LLVM when they are loaded, with torch.
_WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
#: Processors per period that a container may use (cgroup version 2).
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def settle() -> None:
    """Let threads sleep while they wait, and have no more of them than a container's processors.

    Call it before torch is imported, for it is too late after that; the command line does.
    Environment variables that are set already stay.
    """
    for name, value in _WAITING.items():
        os.environ.setdefault(name, value)
    allowed = _allowed()
    if allowed is not None and allowed < len(_processors()):
        os.environ.setdefault("OMP_NUM_THREADS", str(allowed))
        os.environ.setdefault("OPENCV_FOR_THREADS_NUM", str(allowed))


def _processors() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _allowed(quota: Path = _QUOTA) -> int | None:
    """Processors that this container may use; None where nothing says so."""
    try:
        most, period = quota.read_text(encoding="ascii").split()
        return max(1, -(-int(most) // int(period)))
    except (OSError, ValueError):  # no container, no Linux, or "max"
        return None
