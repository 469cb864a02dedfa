"""How much faster than the recording `affuse predict` is, on one core: everything, files included.

python -m tests.bench.real_time VIDEO...
"""

from __future__ import annotations

import argparse
import os
import shutil
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--beside", type=Path, help="another model file, measured in turn")
    options = parser.parse_args()
    models = [BUNDLED, *([options.beside] if options.beside else [])]
    predictors = [Predictor(model) for model in models]
    names = " | ".join(f"{x.stem}: computing, s | times faster than it plays" for x in models)
    print(f"| recording | image | seconds | {names} |")
    print("|---|---|---|" + "---|---|" * len(models))
    for path in options.recordings:
        info = probe(path)
        spent: list[list[float]] = [[] for _ in models]
        for _ in range(ROUNDS):
            for predictor, times in zip(predictors, spent, strict=True):
                times.append(_computing(predictor, path))
        medians = [sorted(times)[ROUNDS // 2] for times in spent]
        cells = " | ".join(f"{taken:.1f} | {info.duration / taken:.1f}" for taken in medians)
        size = f"{info.width} x {info.height}, {info.fps:.0f} fps"
        print(f"| {path.name} | {size} | {info.duration:.1f} | {cells} |", flush=True)


def _computing(predictor: Predictor, path: Path) -> float:
    """Seconds of processor time from decoding to the four files."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copy(path, folder))  # its face has not been searched yet
        began = time.process_time()
        write_timeline(predictor.predict(copy), Path(folder), path.stem)
        return time.process_time() - began


if __name__ == "__main__":
    main()
