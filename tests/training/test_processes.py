"""One training by two processes that torchrun starts, on a CPU."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from tests.toy import VIDEO, timed_store, toy_recipe, toy_store

from affuse.errors import BadInput
from affuse.features.store import Store
from affuse.models.modelfile import load_model
from affuse.training.batches import BatchParts, EpochSampler
from affuse.training.data import ClipDataset
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train

SLOW = pytest.mark.slow
MODEL = "fold0/model.safetensors"
#: Everything that draws random numbers, and averaged weights.
DRAWN = {
    "dropout": {"kind": "softhard"},
    "augmentation": {"gaussian_noise": 0.3, "shift": 0.1, "adjust_duration": 0.5, "mixup": 0.4},
    "ema": 0.9,
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    toy_store(folder, clips=60)
    return folder


def torchrun(
    folder: Path, out: str, *more: str, processes: int = 2
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, out, *more, processes=processes),
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def command(folder: Path, out: str, *more: str, processes: int = 2) -> list[str]:
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
        *(f"--nproc-per-node={processes}", "-m", "affuse", "train", str(folder / "recipe.yaml")),
        *("--store", str(folder / "store"), "--out", str(folder / out), "fold=0", *more),
    ]


def alone(folder: Path, out: str, resume: bool = False, **changes: object) -> Path:
    recipe = load_recipe(toy_recipe(folder, **changes))
    return dict(train(recipe, folder / "store", folder / out, [0], resume))[0]


def logged(folder: Path, out: str) -> dict[str, np.ndarray]:
    rows = list(csv.DictReader((folder / out / "fold0/log.csv").open()))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def compare(folder: Path, one: str, two: str, losses: float, weights: float) -> None:
    """Every column of the log and every weight agrees, relative to the largest of its tensor."""
    a, b = logged(folder, one), logged(folder, two)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(b[name], a[name], losses, losses, err_msg=name)
    states = [load_model(folder / run / MODEL)[0].state_dict() for run in (one, two)]
    for name, x in states[0].items():
        gap = (states[1][name] - x).abs().max() / x.abs().max().clamp(min=1e-3)
        assert float(gap) <= weights, name


@SLOW
def test_two_processes_learn_as_one_with_the_double_batch(toy: Path) -> None:
    # By steps of Adam, biases before batch normalisation, which change nothing, follow rounding.
    same = {
        "optimiser": {"name": "sgd", "lr": 0.05, "momentum": 0.9},
        "augmentation": {"shift": 0.2},
        "epochs": 2,
    }
    alone(toy, "one", batch_size=14, **same)
    toy_recipe(toy, batch_size=7, **same)
    done = torchrun(toy, "two")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [f"fold 0: {toy}/two/{MODEL}"] and not done.stdout
    compare(toy, "one", "two", 1e-4, 1e-3)
    assert json.loads((toy / "two/run.json").read_text())["processes"] == 2
    with pytest.raises(BadInput, match="begun by 2 processes together, not 1"):
        alone(toy, "two", resume=True, batch_size=7, **same)


@pytest.mark.parametrize("windows", [8, 9, 10, 11, 12, 15, 16, 17, 33])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_window_is_in_one_part_of_one_batch(toy: Path, windows: int, count: int) -> None:
    store = Store(toy / "store")
    clips = ClipDataset(store, store.clips[:windows], ["audio/mfcc10"], 1.0, lambda *_: np.zeros(1))
    order = EpochSampler(clips, 5)
    parts = [list(BatchParts(order, 4, k, count)) for k in range(count)]
    assert len({len(part) for part in parts}) == 1, "all make as many steps"
    assert Counter(k for part in parts for batch in part for k in batch) == Counter(range(windows))
    sizes = [[len(batch) for batch in step] for step in zip(*parts, strict=True)]
    assert all(max(step) - min(step) <= 1 and min(step) > 0 for step in sizes)
    assert all(sum(step) == 4 * count for step in sizes[:-2])


@SLOW
def test_the_loss_of_several_heads_is_that_of_the_whole_batch(toy: Path) -> None:
    where = ("attention", "relu", "residual", "embedding", "output")
    undropped = {f"{name}_dropout": 0.0 for name in where}
    same = {
        "model": {"name": "auxformer", "width": 20, "layers": 1, **undropped},
        "auxiliary": 0.4,
        "optimiser": {"name": "sgd", "lr": 0.05, "clip": 1.0},
        "ema": 0.8,
    }
    alone(toy, "one-heads", batch_size=16, **same)
    toy_recipe(toy, batch_size=8, **same)
    assert torchrun(toy, "two-heads").returncode == 0
    compare(toy, "one-heads", "two-heads", 1e-4, 1e-3)


@SLOW
def test_agreement_over_time_is_that_of_the_whole_batch(tmp_path: Path) -> None:
    timed_store(tmp_path, VIDEO)
    same = {
        "task": "valence-arousal",
        "streams": [VIDEO.name],
        "model": {"name": "video-only", "head": "frames"},
        "over_time": {"smoothing": [0.0, 0.5]},
        "window": 2.0,
        "hop": 1.0,
        "epochs": 3,
        "optimiser": {"name": "sgd", "lr": 0.02, "momentum": 0.9},
    }
    alone(tmp_path, "one", batch_size=6, **same)
    toy_recipe(tmp_path, batch_size=3, **same)
    done = torchrun(tmp_path, "two")
    assert done.returncode == 0, done.stderr
    compare(tmp_path, "one", "two", 1e-4, 1e-3)
    specs = [load_model(tmp_path / run / MODEL)[1] for run in ("one", "two")]
    assert specs[0].smoothing == specs[1].smoothing


@SLOW
def test_one_seed_gives_the_same_bytes_twice_also_after_a_process_was_killed(toy: Path) -> None:
    toy_recipe(toy, epochs=30, **DRAWN)
    assert torchrun(toy, "whole").returncode == 0
    log = (toy / "cut.log").open("w")
    killed = subprocess.Popen(command(toy, "cut"), stderr=log, stdout=log)
    last = toy / "cut/fold0/checkpoints/last.ckpt"
    until = time.monotonic() + 120
    while not last.is_file() and time.monotonic() < until:
        assert killed.poll() is None, (toy / "cut.log").read_text()
        time.sleep(0.02)
    os.kill(rank_of(killed.pid, 1), signal.SIGKILL)
    assert killed.wait(60) != 0
    assert not (toy / "cut" / MODEL).exists()
    assert torch.load(last, weights_only=True)["epoch"] < 29
    said = (toy / "cut.log").read_text()
    assert "--resume" in said and "a defect" not in said and said.count("affuse train: ") == 1
    wrong = torchrun(toy, "cut", "--resume", processes=3)
    lines = [line for line in wrong.stderr.splitlines() if line.startswith("affuse train: ")]
    told = "was begun by 2 processes together, not 3; resume with as many"
    assert lines == [f"affuse train: {toy}/cut: {told}"]
    assert "exitcode  : 2" in wrong.stderr
    resumed = torchrun(toy, "cut", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert (toy / "cut" / MODEL).read_bytes() == (toy / "whole" / MODEL).read_bytes()
    assert (toy / "cut/fold0/log.csv").read_text() == (toy / "whole/fold0/log.csv").read_text()


@SLOW
def test_killed_twenty_times_it_ends_in_the_same_bytes(toy: Path) -> None:
    """One process, the other, or both and their launcher, soon after one more epoch was kept."""
    toy_recipe(toy, epochs=150, **DRAWN)
    assert torchrun(toy, "never").returncode == 0
    random, last = Random(5), toy / "often/fold0/checkpoints/last.ckpt"
    for kill in range(20):
        before = kept_at(last)
        resumed = ["--resume"] if kill else []
        process = subprocess.Popen(command(toy, "often", *resumed), stderr=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while kept_at(last) == before and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.01)
        assert kept_at(last) != before
        time.sleep(random.uniform(0.0, 0.3))
        ranks = [rank_of(process.pid, rank) for rank in (0, 1)]
        for killed in random.choice([ranks[:1], ranks[1:], [process.pid, *ranks]]):
            os.kill(killed, signal.SIGKILL)
        assert process.wait(60) != 0
    assert not (toy / "often" / MODEL).exists()
    finished = torchrun(toy, "often", "--resume")
    assert finished.returncode == 0, finished.stderr
    for file in (MODEL, "fold0/log.csv"):
        assert (toy / "often" / file).read_bytes() == (toy / "never" / file).read_bytes()


def kept_at(file: Path) -> int:
    """When a file was last written; 0 where there is none."""
    return file.stat().st_mtime_ns if file.is_file() else 0


def rank_of(parent: int, rank: int) -> int:
    """The process that torchrun started as such."""
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            above = int(place.read_text().rpartition(")")[2].split()[1])
            facts = (place.parent / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if above == parent and f"RANK={rank}".encode() in facts:
            return int(place.parent.name)
    raise AssertionError(f"{parent} has started no process {rank}")


@SLOW
@pytest.mark.parametrize(
    ("more", "line"),
    [
        (["epochs=many"], 'recipe.yaml: Parser key "epochs"'),
        (["--device", "cuda:1"], "device 'cuda:1': several processes take auto, cpu or cuda"),
        (["--grid", "seed=1,2"], "--grid is not for 2 processes together"),
        (["limit=1"], "windows are too few for 2 processes"),
    ],
)
def test_what_is_wrong_is_told_once(toy: Path, more: list[str], line: str) -> None:
    toy_recipe(toy)
    done = torchrun(toy, "wrong", *more)
    said = [x for x in done.stderr.splitlines() if x.startswith("affuse train: ")]
    assert len(said) == 1 and line in said[0], done.stderr
    assert "exitcode  : 2" in done.stderr
