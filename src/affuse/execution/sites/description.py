"""A site, as a YAML file describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from affuse.errors import BadInput, reason_of
from affuse.execution.fields import (
    check_list,
    check_mapping,
    check_one_of,
    check_text,
    check_whole,
    short,
)

_LOCAL = ("kind", "workers", "logs")
_PROCESSES = (*_LOCAL, "cores_per_worker", "gpus")
_SCHEDULED = (
    *(*_PROCESSES, "memory", "account", "walltime", "nodes_per_block", "min_blocks", "max_blocks"),
    *("scheduler_options", "worker_init", "address"),
)
#: Kind -> fields that a file of it may have.
KINDS = {
    "threads": _LOCAL,
    "processes": _PROCESSES,
    "slurm": (*_SCHEDULED, "partition"),
    "pbs-pro": (*_SCHEDULED, "queue", "select_options"),
}
#: Number in a file -> what it may be.
_NUMBERS = {
    "workers": (1, 1024),
    "cores_per_worker": (1, 1024),
    "memory": (1, 65_536),
    "nodes_per_block": (1, 10_000),
    "min_blocks": (0, 10_000),
    "max_blocks": (1, 10_000),
}
_WORDS = ("account", "partition", "queue", "select_options", "address", "logs")
_WORD = re.compile(r"[\w.+:@/=-]+")
_WALLTIME = re.compile(r"\d{1,4}:[0-5]\d:[0-5]\d")
_DIRECTIVES = {"slurm": "#SBATCH", "pbs-pro": "#PBS"}


@dataclass(frozen=True)
class Site:
    """Where pieces of work are done, and what is asked of its scheduler.

    Args:
        kind: `threads` and `processes` of this machine, `slurm` or `pbs-pro`.
        workers: Pieces of work at once, of a node.
        cores_per_worker: Threads of each piece, and processors that are asked for.
        gpus: Names of the GPUs of a node; each worker sees one.
        memory: Of a node, in GB; the scheduler's default with None.
        account: That is charged; the user's default where empty.
        partition: Of SLURM.
        queue: Of PBS Pro.
        walltime: Of a block, `HH:MM:SS`.
        nodes_per_block: Nodes that one job of the scheduler asks for.
        min_blocks: Jobs that are kept while there is work.
        max_blocks: Jobs at most.
        scheduler_options: Lines of the job script, such as `#SBATCH --qos=high`.
        select_options: Of PBS Pro, added to `select`, such as `arch=milan`.
        worker_init: Lines of shell before the workers start.
        address: Of this machine as its nodes know it; found by its name where empty.
        logs: Folder for scripts and logs that all nodes see; a temporary one, or `parsl` in the
            current folder where there is a scheduler, where empty.
    """

    kind: str
    workers: int
    cores_per_worker: int = 1
    gpus: tuple[str, ...] = ()
    memory: int | None = None
    account: str = ""
    partition: str = ""
    queue: str = ""
    walltime: str = "01:00:00"
    nodes_per_block: int = 1
    min_blocks: int = 0
    max_blocks: int = 1
    scheduler_options: tuple[str, ...] = ()
    select_options: str = ""
    worker_init: tuple[str, ...] = ()
    address: str = ""
    logs: str = ""

    @property
    def scheduled(self) -> bool:
        """Whether a scheduler gives the nodes."""
        return self.kind in _DIRECTIVES

    @property
    def most(self) -> int:
        """Pieces of work at once, on all nodes."""
        return self.workers * self.nodes_per_block * self.max_blocks


def read_site(path: Path) -> Site:
    """The site that a file describes.

    Args:
        path: YAML; docs/how-to/cluster.md lists the fields.

    Raises:
        BadInput: It is not there, is no YAML, or a field is wrong.
    """
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(path, "no such file") from None
    except OSError as error:
        raise BadInput(path, reason_of(error)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise BadInput(path, "is not YAML: " + " ".join(str(error).split())) from None
    try:
        return _site(told)
    except ValueError as error:
        raise BadInput(path, str(error)) from None


def _site(told: object) -> Site:
    check_mapping("a site", told)
    assert isinstance(told, Mapping)
    check_one_of("kind", told.get("kind"), KINDS)
    kind = told["kind"]
    for name in told:
        if name not in KINDS[kind]:
            known = "another kind has it" if name in {f.name for f in fields(Site)} else ""
            raise ValueError(
                f"{short(name)} is no field of kind {kind}"
                + (f"; {known}" if known else f"; expected {', '.join(KINDS[kind])}")
            )
    if "workers" not in told:
        raise ValueError("workers is missing; expected how many work at once")
    values: dict[str, Any] = {"kind": kind}
    for name, value in told.items():
        if name in _NUMBERS:
            check_whole(name, value, *_NUMBERS[name])
        elif name in _WORDS:
            _check_word(name, value)
        elif name == "walltime":
            _check_walltime(value)
        elif name != "kind":
            value = _gpus(value) if name == "gpus" else _lines(name, value, kind)
        values[name] = value
    site = Site(**values)
    if site.gpus and site.workers > len(site.gpus):
        raise ValueError(
            f"workers is {site.workers}; expected at most one for each of {len(site.gpus)} GPUs"
        )
    if site.min_blocks > site.max_blocks:
        raise ValueError(f"min_blocks is {site.min_blocks}; expected at most {site.max_blocks}")
    return site


def _check_word(name: str, value: object) -> None:
    """One that a scheduler and a shell take as it is; of a folder, any that can be printed."""
    check_text(name, value)
    if name != "logs" and not _WORD.fullmatch(str(value)):
        raise ValueError(f"{name} is {short(value)!r}; expected letters, digits and . + : @ / = -")


def _check_walltime(value: object) -> None:
    if not isinstance(value, str) or not _WALLTIME.fullmatch(value):
        raise ValueError(f'walltime is {short(value)}; expected "HH:MM:SS", in quotation marks')


def _gpus(value: object) -> tuple[str, ...]:
    """Names of GPUs, from how many there are or from a list of numbers and names."""
    if not isinstance(value, list):
        check_whole("gpus", value, 0, 64)
        assert isinstance(value, int)
        return tuple(map(str, range(value)))
    check_list("gpus", value, 1, 64)
    for one in value:
        if isinstance(one, int) and not isinstance(one, bool):
            check_whole("gpus", one, 0, 1023)
        else:
            _check_word("gpus", one)
    return tuple(map(str, value))


def _lines(name: str, value: object, kind: str) -> tuple[str, ...]:
    check_list(name, value, 0, 100)
    assert isinstance(value, list)
    for line in value:
        check_text(name, line, 1000)
        if name == "scheduler_options" and not line.startswith(f"{_DIRECTIVES[kind]} "):
            raise ValueError(
                f"{name} has {short(line)!r}; expected {_DIRECTIVES[kind]} and options"
            )
    return tuple(value)
