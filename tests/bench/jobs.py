"""`affuse predict FOLDER` with one job beside several, in turns; prints JSON.

    python -m tests.bench.jobs FOLDER --jobs 1 2 --repeats 3

Seconds that pass and processor seconds, medians; the outputs of all are compared byte by byte.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.folders import tree


def predict(folder: Path, jobs: int, out: Path) -> tuple[float, float]:
    """Seconds that passed, and processor seconds."""
    words = ["predict", str(folder), "--jobs", str(jobs), "--out", str(out)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-m", "affuse", *words], capture_output=True, check=True)
    passed, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return passed, used


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    took: dict[int, list[tuple[float, float]]] = {jobs: [] for jobs in options.jobs}
    made = []
    for _ in range(options.repeats):
        for jobs in options.jobs:
            with tempfile.TemporaryDirectory() as out:
                took[jobs].append(predict(options.folder, jobs, Path(out)))
                made.append(tree(Path(out)))
    medians = {
        jobs: {
            "seconds": round(statistics.median(passed for passed, _ in runs), 1),
            "processor seconds": round(statistics.median(used for _, used in runs), 1),
        }
        for jobs, runs in took.items()
    }
    same = all(files == made[0] for files in made)
    print(json.dumps({"jobs": medians, "same bytes": same, "runs": took}, indent=2))


if __name__ == "__main__":
    main()
