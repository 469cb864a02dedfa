"""Scripts by which SLURM or PBS Pro run a command in equal parts, and once more for all of it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from affuse.errors import AffuseError

Scheduler = Literal["slurm", "pbs"]

_TIME = re.compile(r"(\d+-)?\d{1,3}:[0-5]\d:[0-5]\d")
_MEMORY = re.compile(r"[1-9]\d*[MGT]", re.IGNORECASE)
_NAME = re.compile(r"[\w.+:@-]+")


@dataclass(frozen=True)
class Job:
    """A command of affuse that takes `--shard`, and what each part of it may use.

    Args:
        command: Words before `--shard`, the program first.
        folder: In which it is run.
        logs: Folder for what it prints.
        shards: Number of equal parts, 2 or more.
        name: Of the job.
        time: Wall-clock time of a part, `HH:MM:SS`, of SLURM also `D-HH:MM:SS`.
        memory: Of a part, such as `16G`.
        cpus: Processors of a part.
        gpus: GPUs of a part.
        queue: Partition (SLURM) or queue (PBS); by default that of the site.
        account: Account (SLURM) or project (PBS) that is charged, if the site asks for one.
        setup: Lines of shell before the command, such as `module load python`.
    """

    command: Sequence[str]
    folder: Path
    logs: Path
    shards: int
    name: str = "affuse"
    time: str = "24:00:00"
    memory: str = "8G"
    cpus: int = 1
    gpus: int = 0
    queue: str = ""
    account: str = ""
    setup: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse what a scheduler would not take, or take for something else.

        Raises:
            AffuseError: The message names the option.
        """
        if not 2 <= self.shards <= 100_000:
            raise AffuseError(f"--shards {self.shards}: expected 2 to 100,000")
        if not _TIME.fullmatch(self.time):
            raise AffuseError(f"--time {self.time}: expected HH:MM:SS or D-HH:MM:SS")
        if not _MEMORY.fullmatch(self.memory):
            raise AffuseError(f"--memory {self.memory}: expected a number with M, G or T, as 16G")
        if self.cpus < 1 or self.gpus < 0:
            raise AffuseError("--cpus must be 1 or more, and --gpus 0 or more")
        for option in ("name", "queue", "account"):
            value = getattr(self, option)
            if value and not _NAME.fullmatch(value):
                raise AffuseError(f"--{option} {value!r}: expected letters, digits and . + : @ - _")
        if wrong := [x for x in map(str, (self.folder, self.logs)) if re.search(r"[\s\"'%\\]", x)]:
            raise AffuseError(f"{wrong[0]}: schedulers do not take such a path")


def scripts(scheduler: Scheduler, job: Job) -> dict[str, str]:
    """The scripts of a job.

    Returns:
        `shard.sh` (an array job: one element per part, run again where its machine dies),
        `whole.sh` (the command for all of it, which finds the parts done) and `submit.sh` (both,
        the second after the first) -> their text.
    """
    heads = {"slurm": _slurm, "pbs": _pbs}[scheduler]
    index = {"slurm": "SLURM_ARRAY_TASK_ID", "pbs": "PBS_ARRAY_INDEX"}[scheduler]
    command = shlex.join(job.command)
    return {
        "shard.sh": _script(heads(job, True), job, f'{command} --shard "${index}/{job.shards}"'),
        "whole.sh": _script(heads(job, False), job, command),
        "submit.sh": {"slurm": _SLURM_SUBMIT, "pbs": _PBS_SUBMIT}[scheduler],
    }


def _script(heads: Sequence[str], job: Job, command: str) -> str:
    lines = ["#!/bin/bash", *heads, "set -eo pipefail"]
    lines += [f"cd {shlex.quote(str(job.folder))}", *job.setup]
    lines += [f"export OMP_NUM_THREADS={job.cpus}", f"exec {command}"]
    return "\n".join(lines) + "\n"


def _slurm(job: Job, array: bool) -> list[str]:
    log = "shard-%a" if array else "whole"
    options = [
        f"--job-name={job.name}",
        *([f"--array=1-{job.shards}"] if array else []),
        "--ntasks=1",
        f"--cpus-per-task={job.cpus}",
        f"--mem={job.memory.upper()}",
        f"--time={job.time}",
        *([f"--gpus-per-task={job.gpus}"] if job.gpus else []),
        *([f"--partition={job.queue}"] if job.queue else []),
        *([f"--account={job.account}"] if job.account else []),
        "--requeue",
        "--open-mode=append",
        f"--output={job.logs}/{log}.log",
    ]
    return [f"#SBATCH {option}" for option in options]


def _pbs(job: Job, array: bool) -> list[str]:
    select = f"select=1:ncpus={job.cpus}:mem={job.memory.lower()}b"
    options = [
        f"-N {job.name}",
        *([f"-J 1-{job.shards}"] if array else []),
        f"-l {select}" + (f":ngpus={job.gpus}" if job.gpus else ""),
        f"-l walltime={_hours(job.time)}",
        *([f"-q {job.queue}"] if job.queue else []),
        *([f"-P {job.account}"] if job.account else []),
        "-r y",
        "-j oe",
        f"-o {job.logs}/",
    ]
    return [f"#PBS {option}" for option in options]


def _hours(time: str) -> str:
    """`D-HH:MM:SS` as PBS has it, without days."""
    days, dash, rest = time.rpartition("-")
    hours, rest = rest.split(":", 1)
    return f"{int(days) * 24 + int(hours) if dash else int(hours):02d}:{rest}"


_SLURM_SUBMIT = """#!/bin/sh
# All parts, and after them (whatever became of each) the command for all of it.
set -eu
cd "$(dirname "$0")"
shards=$(sbatch --parsable shard.sh)
whole=$(sbatch --parsable --dependency="afterany:${shards%%;*}" whole.sh)
echo "submitted: parts ${shards%%;*}, then all of it ${whole%%;*}"
"""

_PBS_SUBMIT = """#!/bin/sh
# All parts, and after them (whatever became of each) the command for all of it.
set -eu
cd "$(dirname "$0")"
shards=$(qsub shard.sh)
whole=$(qsub -W depend="afterany:$shards" whole.sh)
echo "submitted: parts $shards, then all of it $whole"
"""
