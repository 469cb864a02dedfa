"""One side of a comparison, run in a process of its own: time, processor time and peak memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.verification.bench.stages import Stages

#: What is timed, once everything is set up; its result is JSON.
Work = Callable[[], Any]
_SIDES = "affuse.verification.bench."
_MARK = "affuse bench side: "


@dataclass(frozen=True)
class Side:
    """One way of doing something.

    Attributes:
        name: In tables.
        target: `module:function` of this package; the function sets everything up and returns what
            is timed. `STAGES` of its module, if there is one, says what belongs to which stage.
        options: Of the function; JSON.
    """

    name: str
    target: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What one run of a side took.

    Attributes:
        seconds: That passed.
        cpu: Processor seconds of the process and, on Linux, of its workers.
        peak: Largest resident memory so far in MB; on Linux with that of its workers.
        stages: Stage -> processor seconds of the process itself.
        outcome: What the work returned.
    """

    seconds: float
    cpu: float
    peak: float
    stages: dict[str, float]
    outcome: Any


def run_side(side: Side, threads: int) -> Run:
    """Run a side once.

    Raises:
        AffuseError: The side failed; the last line that it printed is the reason.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "OPENCV_FOR_THREADS_NUM": str(threads),
        "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"threads;{threads}",
        "OMP_WAIT_POLICY": "PASSIVE",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "affuse.verification.bench.sides", json.dumps(asdict(side))],
        env=environment,
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith(_MARK)]
    if done.returncode or not lines:
        said = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise AffuseError(f"{side.name}: {said}")
    return Run(**json.loads(lines[-1].removeprefix(_MARK)))


def alternately(
    sides: Sequence[Side], repeats: int, threads: int, loop: Callable[..., Iterable[Any]]
) -> dict[str, list[Run]]:
    """Run sides in turns, so that what else the machine does meets all of them.

    Args:
        sides: What is run.
        repeats: How often each.
        threads: Of each process.
        loop: Wraps the loop over all runs: called with them, a label and the total.

    Returns:
        Name -> its runs.
    """
    runs: dict[str, list[Run]] = {side.name: [] for side in sides}
    turns = [side for _ in range(repeats) for side in sides]
    for side in loop(turns, "bench", total=len(turns)):
        runs[side.name].append(run_side(side, threads))
    return runs


def medians(runs: Sequence[Run]) -> dict[str, Any]:
    """Median seconds, processor seconds, peak memory in MB, and processor seconds per stage."""
    names = {name: None for run in runs for name in run.stages}
    return {
        "seconds": _median([run.seconds for run in runs]),
        "cpu_seconds": _median([run.cpu for run in runs]),
        "peak_mb": round(statistics.median(run.peak for run in runs), 1),
        "stages": {name: _median([run.stages.get(name, 0.0) for run in runs]) for name in names},
    }


def _median(values: Sequence[float]) -> float:
    return float(f"{statistics.median(values):.4g}")


def own_memory() -> float:
    """MB of this process that are not pages of mapped files; NaN where nobody tells."""
    return _status(os.getpid(), "RssAnon")


def _status(process: int, key: str) -> float:
    """MB of a line of `/proc/<process>/status`."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return float("nan")
    sizes = [line.split()[1] for line in text.splitlines() if line.startswith(f"{key}:")]
    return int(sizes[0]) / 1024 if sizes else float("nan")


def peak_memory() -> float:
    """Largest resident memory so far in MB; on Linux with that of workers.

    `ru_maxrss` of a process begins there with what the process that started it had.
    """
    own = _status(os.getpid(), "VmHWM")
    if own != own:  # no Linux
        import resource

        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return own + sum(peak for child in _workers() if (peak := _status(child, "VmHWM")) == peak)


def _workers() -> list[int]:
    """The processes that this one has started, on Linux."""
    return [process for process, (parent, _) in _processes().items() if parent == os.getpid()]


def _processes() -> dict[int, tuple[int, float]]:
    """Process -> its parent, and processor seconds that it has used."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        fields = text.rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        found[int(folder.name)] = int(fields[1]), ticks / os.sysconf("SC_CLK_TCK")
    return found


def _spent() -> float:
    """Processor seconds of this process and its workers."""
    of_workers = sum(cpu for parent, cpu in _processes().values() if parent == os.getpid())
    return time.process_time() + of_workers


def main() -> None:
    """In a process of its own: run the side that the command line describes."""
    from affuse.errors import line_of
    from affuse.execution import threads
    from affuse.execution.logs import quieten_torch

    threads.settle()
    quieten_torch()
    try:
        told = json.loads(sys.argv[1])
        module, _, name = told["target"].partition(":")
        if not module.startswith(_SIDES):
            raise AffuseError(f"{module} is no side of a comparison")
        of = import_module(module)
        work: Work = getattr(of, name)(**told["options"])
        spent, began = _spent(), time.perf_counter()
        # a timer of processor time makes the clock of processor time coarse: none without stages
        table = getattr(of, "STAGES", None)
        with nullcontext() if table is None else Stages(table) as stages:
            outcome = work()
        passed, spent = time.perf_counter() - began, _spent() - spent
        run = Run(passed, spent, peak_memory(), dict(stages.seconds) if stages else {}, outcome)
        print(_MARK + json.dumps(asdict(run)))
    except AffuseError as error:
        sys.exit(line_of(error))


if __name__ == "__main__":
    main()
