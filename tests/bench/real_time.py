"""How much faster than the recording `affuse predict` is, on one core: everything, files included.

python -m tests.bench.real_time VIDEO...
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import cv2
import torch

from affuse.inference.output import write_timeline
from affuse.inference.predictor import Predictor
from affuse.media.probe import probe
from affuse.models.bundled import BUNDLED

ROUNDS = 3


def main() -> None:
    """Print a row per recording: the median of some rounds, computing time of the process."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    predictor = Predictor(BUNDLED)
    print("| recording | image | seconds | computing, s | times faster than it plays |")
    print("|---|---|---|---|---|")
    for path in map(Path, sys.argv[1:]):
        info, spent = probe(path), []
        for _ in range(ROUNDS):
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(shutil.copy(path, folder))  # its face has not been searched yet
                began = time.process_time()
                write_timeline(predictor.predict(copy), Path(folder), path.stem)
                spent.append(time.process_time() - began)
        taken = sorted(spent)[ROUNDS // 2]
        print(
            f"| {path.name} | {info.width} x {info.height}, {info.fps:.0f} fps | "
            f"{info.duration:.1f} | {taken:.1f} | {info.duration / taken:.1f} |"
        )


if __name__ == "__main__":
    main()
