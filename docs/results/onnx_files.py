"""Size and speed of ONNX files beside torch: python docs/results/onnx_files.py RECORDING

Everything runs on one thread and in turn, round by round; seconds are those of the processor, so
that other processes on the machine count little. Models but the bundled one have random weights.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import torch

import affuse
from affuse.export.export import write_graph
from affuse.export.gate import synthetic
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.models.applied import Applied
from affuse.models.bundled import BUNDLED
from affuse.models.modelfile import ModelSpec, save_model
from affuse.models.opening import open_model
from affuse.models.sliding import WindowModel

ROUNDS, WINDOWS = 5, 4
#: Name -> streams and window in seconds.
OTHERS = {
    "chumachenko-ia": (("audio/mfcc10", "video/faces48"), 3.6),
    "crossmodal": (("audio/logmel64-16k", "video/faces48"), 3.0),
}


def main(recording: str) -> None:
    """Print the tables."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = {"bundled": BUNDLED, **{name: made(name, Path(folder)) for name in OTHERS}}
        print("| model | runs on | MB | load, s | window, ms |\n|---|---|---|---|---|", flush=True)
        exported = {}
        for name, file in files.items():
            paths = {False: Path(folder) / f"{name}.onnx", True: Path(folder) / f"{name}-int8.onnx"}
            for int8, path in paths.items():
                write_graph(path, file, WindowModel(*affuse.load_model(file)), int8)
            exported[name] = paths
            table(name, file, paths)
        print("\n| `affuse predict` with | seconds | of these, to begin | peak MB |")
        print("|---|---|---|---|")
        for label, path in {
            "the model file": BUNDLED,
            "the ONNX file": exported["bundled"][False],
            "the ONNX file, int8": exported["bundled"][True],
        }.items():
            print(f"| {label} | " + " | ".join(command(path, recording, folder)) + " |", flush=True)


def table(name: str, file: Path, paths: dict[bool, Path]) -> None:
    """Rows of one model."""
    ways: dict[str, tuple[Path, Callable[[], Applied]]] = {
        "torch, eager": (file, lambda: open_model(file)),
        "torch.compile": (file, lambda: compiled(file)),
        "onnxruntime": (paths[False], lambda: open_model(paths[False])),
        "onnxruntime, int8": (paths[True], lambda: open_model(paths[True])),
    }
    opened, loads = {}, {}
    for label, (_, load) in ways.items():
        times = []
        for _ in range(3):
            began = time.process_time()
            opened[label] = load()
            times.append(time.process_time() - began)
        loads[label] = statistics.median(times)
    samples = [sample for sample, _ in synthetic(open_model(file).spec, WINDOWS)]

    def window(applied: Applied) -> float:
        began = time.process_time()
        own = [{n: applied.embed(n, x, slice(None)) for n, x in s.items()} for s in samples]
        applied.outputs(own)
        return (time.process_time() - began) / WINDOWS

    for applied in opened.values():
        window(applied)
    taken: dict[str, list[float]] = {label: [] for label in opened}
    for _ in range(ROUNDS):
        for label, applied in opened.items():
            taken[label].append(window(applied))
    for label, (path, _) in ways.items():
        numbers = f"{loads[label]:.2f} | {1000 * statistics.median(taken[label]):.1f}"
        print(f"| {name} | {label} | {path.stat().st_size / 1e6:.1f} | {numbers} |", flush=True)


def compiled(file: Path) -> Applied:
    """A model file whose networks torch compiles when they first run."""
    applied = open_model(file)
    assert isinstance(applied, WindowModel)
    applied.model.compile(dynamic=True)
    for part in applied._embedders.values():
        # of the two models that are measured, every embedder has such a network
        part.stage1.net.compile(dynamic=True)  # type: ignore[attr-defined]  # not of all embedders
    return applied


def made(name: str, folder: Path) -> Path:
    """A model file with random weights."""
    streams, window = OTHERS[name]
    specs = {stream: stream_spec(stream) for stream in streams}
    statistics_of = {s: Normalisation((120.0,), (60.0,)) for s in streams if "faces" in s}
    spec = ModelSpec(name, {}, specs, statistics_of, list("abcdefgh"), window=window)
    torch.manual_seed(0)
    path = folder / f"{name}.safetensors"
    save_model(path, affuse.create_model(name, list(streams), 8), spec)
    return path


def command(model: Path, recording: str, folder: str) -> list[str]:
    """Processor seconds of a prediction and of what comes before it, and its peak memory."""

    def run(program: str, *words: str) -> tuple[float, float]:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        code = f"import sys; sys.argv[1:] = {list(words)!r}\n{program}\n"
        # not `ru_maxrss`, which begins with what this process has
        code += "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
        said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return spent, int(said.stdout.split()[-1]) / 1000

    load = (
        "from pathlib import Path\nfrom affuse.inference.predictor import Predictor\n"
        "from affuse.inference.output import write_people\n"
        "p = Predictor(Path(sys.argv[1]))"
    )
    rest = f"{load}\nwrite_people(p.predict_people(Path(sys.argv[2]), 1), Path(sys.argv[3]), 'x')"
    whole = [run(rest, str(model), recording, folder) for _ in range(3)]
    begun = [run(load, str(model), recording, folder)[0] for _ in range(3)]
    seconds, memory = (statistics.median(x) for x in zip(*whole, strict=True))
    return [f"{seconds:.1f}", f"{statistics.median(begun):.1f}", f"{memory:,.0f}"]


if __name__ == "__main__":
    main(*sys.argv[1:])
