"""One training by several processes, which torchrun or SLURM's `srun` starts.

Each process reads its part of every batch. What is decided is decided by the first process, which
alone writes; what fails in one of them fails in all, and is told once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from torch import Tensor, distributed
from torch.nn import functional as F

from affuse.errors import AffuseError

T = TypeVar("T")

#: How long a process waits for others that work on something.
_WAIT = timedelta(hours=2)
_LOST = re.compile(r"by peer|gloo|NCCL|[Ss]ocket|TCPStore|timed out", re.IGNORECASE)


@dataclass(frozen=True)
class Processes:
    """Who works together.

    Args:
        cluster: What Lightning asks about them.
        number: Of this process, from 0.
        count: Of processes.
        here: How many of them run on this machine.
    """

    cluster: ClusterEnvironment
    number: int = 0
    count: int = 1
    here: int = 1


def processes() -> Processes:
    """Those that this process was started with; itself alone where nothing started several.

    Raises:
        AffuseError: Machines have different numbers of them.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and TorchElasticEnvironment.detect():
        cluster: ClusterEnvironment = TorchElasticEnvironment()
        here = int(os.environ["LOCAL_WORLD_SIZE"])
    elif int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 and "SLURM_PROCID" in os.environ:
        cluster = SLURMEnvironment(auto_requeue=False)
        told = os.environ.get("SLURM_STEP_TASKS_PER_NODE", "")
        if (found := re.fullmatch(r"(\d+)(\(x\d+\))?", told)) is None:
            raise AffuseError(
                f"SLURM started {told} processes on its machines; give srun --ntasks-per-node"
            )
        here = int(found[1])
    else:
        return Processes(LightningEnvironment())
    return Processes(cluster, cluster.global_rank(), cluster.world_size(), here)


def alone(what: str, instead: str) -> None:
    """Refuse what processes that were started together cannot do.

    Args:
        what: They do not do together.
        instead: What to do.

    Raises:
        AffuseError: There are several; `told` in all but the first.
    """
    several = processes()
    if several.count > 1:
        error = AffuseError(f"{what} is not for {several.count} processes together: {instead}")
        error.told = several.number > 0
        raise error


def number() -> int:
    """Of this process among those that work together, from 0."""
    return distributed.get_rank() if count() > 1 else 0


def count() -> int:
    """How many processes work together."""
    ready = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if ready else 1


@contextmanager
def together() -> Iterator[None]:
    """Within the block the processes that were started together know each other.

    Raises:
        AffuseError: One of them was lost.
    """
    group = processes()
    if group.count == 1 or distributed.is_initialized():
        yield
        return
    os.environ["MASTER_ADDR"] = group.cluster.main_address
    os.environ["MASTER_PORT"] = str(group.cluster.main_port)
    try:
        distributed.init_process_group(timeout=_WAIT, rank=group.number, world_size=group.count)
        yield
        distributed.barrier()
        distributed.destroy_process_group()
    except RuntimeError as error:
        if not (isinstance(error, distributed.DistError) or _LOST.search(str(error))):
            raise
        raise AffuseError(
            "another process of this training has ended; what was finished is kept, run the "
            "same command again with --resume to go on"
        ) from error


def gathered(value: T) -> list[T]:
    """What each process gives, in their order."""
    if count() == 1:
        return [value]
    values: list[Any] = [None] * count()
    distributed.all_gather_object(values, value)
    return values


@contextmanager
def agreed() -> Iterator[None]:
    """Where the block fails in one process it fails in all; nothing in it waits for others.

    Raises:
        AffuseError: Of the first process that failed; `told` in the others.
    """
    failed: Exception | None = None
    try:
        yield
    except Exception as error:
        if count() == 1:
            raise
        failed = error
    if count() == 1:
        return
    reasons = gathered(None if failed is None else str(failed))
    first = next((k for k, reason in enumerate(reasons) if reason is not None), None)
    if first is not None:
        if first == number() and failed is not None:
            raise failed
        told = AffuseError(reasons[first])
        told.told = True
        raise told


def of_first(work: Callable[[], T]) -> T:
    """What a function gives in the first process, which alone calls it."""
    if count() == 1:
        return work()
    found: list[Any] = [None]
    with agreed():
        if number() == 0:
            found[0] = work()
    distributed.broadcast_object_list(found)
    result: T = found[0]
    return result


def of_all(x: Tensor) -> Tensor:
    """The rows of all processes, in their order; a gradient goes to those of this process alone.

    A loss of them, times the number of processes, has on average over the processes the gradient
    that one process with all rows would have.

    Args:
        x: (N, ...) with an N of each process; of further lengths the others are filled with NaN.

    Returns:
        (sum of N, ...), on the same device.
    """
    if count() == 1:
        return x
    shapes = gathered(tuple(x.shape))
    longest = [max(lengths) for lengths in zip(*shapes, strict=True)]
    missing = [most - own for most, own in zip(longest, x.shape, strict=True)]
    fill = float("nan") if x.is_floating_point() else 0
    padded = F.pad(x, [n for size in reversed(missing) for n in (0, size)], value=fill)
    rows = [torch.empty_like(padded) for _ in shapes]
    distributed.all_gather(rows, padded.detach().contiguous())
    rows[number()] = padded
    return torch.cat([part[: shape[0]] for part, shape in zip(rows, shapes, strict=True)])
