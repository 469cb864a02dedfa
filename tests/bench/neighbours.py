"""What predicting costs on a machine where others work too, before and after `threads.settle`.

    python -m tests.bench.neighbours [RECORDING] [--repeats 3] [--threads 1 2] [--busy 0 1 2]

Runs `affuse predict` on a recording (by default a generated one of 9 s) beside processes that do
nothing but use a processor each, and prints a Markdown table: seconds that pass, and processor
seconds (user and system) of the process and its workers; medians.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

BUSY = "import os; p = os.getppid()\nwhile os.getppid() == p: sum(range(100000))"
BEFORE = "from affuse.execution import threads; threads.settle = lambda: None; "
RUN = "import sys; from affuse.cli.main import main; sys.exit(main())"
#: Way of waiting -> what runs, and environment variables.
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "before": (BEFORE + RUN, {}),
    "after": (RUN, {}),
}
CLEARED = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OPENCV_FOR_THREADS_NUM")


def measure(
    recording: Path, out: Path, code: str, busy: int, changes: dict[str, str]
) -> tuple[float, float]:
    """Seconds that pass, and processor seconds."""
    environment = {k: v for k, v in os.environ.items() if k not in CLEARED} | changes
    with ExitStack() as neighbours:
        for _ in range(busy):
            process = neighbours.enter_context(subprocess.Popen([sys.executable, "-c", BUSY]))
            neighbours.callback(process.kill)
        time.sleep(0.2)
        before, begin = _spent(), time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", code, "predict", str(recording), "--out", str(out)],
            env=environment,
            check=True,
            capture_output=True,
        )
        return time.perf_counter() - begin, _spent() - before


def _spent() -> float:
    """Processor seconds of all ended children; neighbours end after the measurement."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def generated(folder: Path) -> Path:
    """A synthetic recording of 9 s with a talking face."""
    from affuse.corpora.synthetic.affwild2 import synthesise

    synthesise(folder, videos=2, seconds=(9.0, 9.0))
    return folder / "videos" / "video2.mp4"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        recording = options.recording or generated(Path(folder) / "corpus")
        print("| threads | busy neighbours | " + " | ".join(f"{way}, s (CPU s)" for way in WAYS))
        print("|---|---|" + "---|" * len(WAYS))
        for threads in options.threads:
            for busy in options.busy:
                found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
                for _ in range(options.repeats):  # in turns, so that what else runs hits all alike
                    for way, (code, changes) in WAYS.items():
                        changes = changes | {"OMP_NUM_THREADS": str(threads)}
                        out = Path(folder) / "out"
                        found[way].append(measure(recording, out, code, busy, changes))
                cells = [
                    "{:.1f} ({:.1f})".format(*map(statistics.median, zip(*runs, strict=True)))
                    for runs in found.values()
                ]
                print(f"| {threads} | {busy} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
