"""What one command of `affuse bench` measures: rows, checks of equal results, and targets."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from affuse.verification.bench.recordings import SIZE, write_recordings
from affuse.verification.bench.sides import Run, Side, alternately, medians, run_side

Runs = dict[str, list[Run]]
#: Packages whose versions decide about speed.
_PACKAGES = ("affuse", "torch", "numpy", "av", "opencv-python-headless", "librosa", "lightning")


@dataclass(frozen=True)
class Target:
    """A figure that was wanted.

    Attributes:
        what: It says.
        reached: What was measured.
        wanted: What was wanted.
        bound: Whether that much or more (`least`), or that much or less (`most`), is good.
    """

    what: str
    reached: float
    wanted: float
    bound: Literal["least", "most"] = "least"

    @property
    def met(self) -> bool:
        """Whether it was reached."""
        if self.bound == "least":
            return bool(self.reached >= self.wanted)
        return bool(self.reached <= self.wanted)


@dataclass(frozen=True)
class Check:
    """Whether the sides computed the same.

    Attributes:
        what: Is compared.
        difference: Between the sides.
        tolerance: Up to which they are the same.
    """

    what: str
    difference: float
    tolerance: float

    @property
    def same(self) -> bool:
        """Whether they are."""
        return bool(self.difference <= self.tolerance)


@dataclass
class Bench:
    """A comparison that is being measured.

    Args:
        what: `prepare`, `train`, `predict` or `store`.
        folder: For inputs and outputs; empty.
        repeats: How often each side is run.
        threads: Of each process.
        seconds: Length of each recording.
        size: Width and height of their images in pixels.
        loop: Wraps loops over runs: called with them, a label and the total.

    Attributes:
        rows: One for each side and number of clips.
        checks: Of equal results.
        targets: And what was reached.
        curves: How cost grows.
        notes: What is to be known, one line each.
    """

    what: str
    folder: Path
    repeats: int
    threads: int
    seconds: float
    size: tuple[int, int] = SIZE
    loop: Callable[..., Iterable[Any]] = lambda runs, label, total: runs
    rows: list[dict[str, Any]] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    curves: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def recordings(self, clips: int) -> Path:
        """The folder of so many recordings, or more."""
        folder = self.folder / "recordings"
        write_recordings(folder, clips, self.seconds, self.size)
        return folder

    def measure(self, sides: Sequence[Side], repeats: int = 0, **about: Any) -> Runs:
        """Run sides in turns and keep a row for each.

        Args:
            sides: What is run.
            repeats: How often, where not as often as others.
            about: Further columns of their rows, such as the number of clips.
        """
        runs = alternately(sides, repeats or self.repeats, self.threads, self.loop)
        self.rows += [{"side": name, **about, **medians(found)} for name, found in runs.items()]
        return runs

    def break_down(self, name: str, side: Side) -> None:
        """Take the stages of the last row of a side from another run of the same work."""
        row = [row for row in self.rows if row["side"] == name][-1]
        row["stages"] = medians([run_side(side, self.threads)])["stages"]

    def forget_stages(self, name: str) -> None:
        """Tell no stages of a side whose work is done by other processes."""
        for row in self.rows:
            if row["side"] == name:
                row["stages"] = {}

    def grow(
        self, axis: str, values: Sequence[int], side: Callable[[int], Side], limit: float
    ) -> None:
        """Run a side once for each value, until the next would take longer than a limit.

        Args:
            axis: What grows.
            values: Rising.
            side: Value -> what is run.
            limit: Seconds of one run.
        """
        expected, before = 0.0, 0
        for value in values:
            if before and expected * value / before > limit:
                self.notes.append(f"{axis}: {value} and more left out, would pass {limit:g} s")
                return
            run = run_side(side(value), self.threads)
            own = run.outcome.get("own_mb") if isinstance(run.outcome, dict) else None
            self.curves.append(
                {
                    "what": self.what,
                    "axis": axis,
                    "value": value,
                    "seconds": float(f"{run.seconds:.4g}"),
                    "cpu_seconds": float(f"{run.cpu:.4g}"),
                    "peak_mb": round(run.peak, 1),
                    "own_mb": own,
                }
            )
            expected, before = run.seconds, value

    def result(self) -> dict[str, Any]:
        """All that was measured, as JSON."""
        return {
            "what": self.what,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions(),
            "repeats": self.repeats,
            "threads": self.threads,
            "seconds_per_clip": self.seconds,
            "image": list(self.size),
            "rows": self.rows,
            "checks": [
                {
                    "what": check.what,
                    "difference": _short(check.difference),
                    "tolerance": check.tolerance,
                    "same": check.same,
                }
                for check in self.checks
            ],
            "targets": [
                {
                    "what": target.what,
                    "reached": _short(target.reached),
                    "wanted": target.wanted,
                    "bound": target.bound,
                    "met": target.met,
                }
                for target in self.targets
            ],
            "curves": self.curves,
            "notes": self.notes,
        }


def ratio(runs: Runs, over: str, under: str, key: Literal["cpu", "seconds"] = "cpu") -> float:
    """How many times as long one side takes as another: the median over turns."""
    pairs = zip(runs[over], runs[under], strict=True)
    return statistics.median(getattr(x, key) / max(getattr(y, key), 1e-9) for x, y in pairs)


def append_history(path: Path, result: dict[str, Any]) -> None:
    """Add a result to a file of one JSON object per line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(result) + "\n")


def machine() -> dict[str, Any]:
    """What was measured on, and how busy it was."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "processors": os.cpu_count(),
        "load": None if load is None else round(load, 2),
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    """Package -> version, of those that are installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _short(number: float) -> float:
    return float(f"{float(number):.4g}")
