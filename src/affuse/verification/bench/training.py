"""An epoch of `chumachenko-ia` as published: `affuse train` beside the plain loop."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from affuse.features.stream import StreamSpec
from affuse.verification.bench.comparison import Bench, Check, Target, ratio
from affuse.verification.bench.sides import Side, Work, own_memory
from affuse.verification.bench.stores import CLASSES, arrays, names, write_store

STAGES = {
    "torch.utils.data": "data",
    "affuse.training.batches": "data",
    "affuse.training.data": "data",
    "affuse.features": "data",
    ":backward": "backward",
    "torch.autograd": "backward",
    "torch.optim": "step",
    "affuse.models": "forward",
    "affuse.training.learner:Learner.training_step": "forward",
    "affuse.training.checkpoints": "write",
    "torch.serialization": "write",
}
STREAMS = (
    (StreamSpec("audio/mfcc10-published", 22050 / 512, (10,), span=3.6), 156),
    (StreamSpec("video/faces224-published", 15 / 3.6, (224, 224, 3), "uint8", span=3.6), 15),
)
RECIPE, BATCH = "chumachenko-ia-published", 2
OURS, PLAIN = "affuse", "plain loop"
#: Target: what dropout repeats is computed once, and images lie channels-last.
FASTER = 2.5


def first_model(classes: int) -> tuple[Any, dict[str, Any]]:
    """The network of the recipe before training, the same every time, and its published weights."""
    import torch

    from affuse.models.checkpoints import published_state_dict
    from affuse.models.registry import create_model
    from affuse.training.recipe_files import load_recipe

    options = dict(load_recipe(RECIPE).model)
    torch.manual_seed(1)
    model = create_model(options.pop("name"), {s.name: s for s, _ in STREAMS}, classes, **options)
    return model, published_state_dict(model)


def seed_of_epoch() -> int:
    """What the learner seeds the random numbers of its first epoch with."""
    return int(np.random.SeedSequence([1, 0]).generate_state(1)[0])


def train(folder: str, clips: int, batch: int, classes: int) -> Work:
    """Sets up an epoch over the clips of a store, as `affuse train` runs it."""
    from affuse.execution.memory import keep_freed
    from affuse.features.store import Store
    from affuse.tasks.registry import task_of
    from affuse.training.batches import loader
    from affuse.training.data import ClipDataset
    from affuse.training.fitting import fit
    from affuse.training.learner import Learner
    from affuse.training.recipe_files import load_recipe
    from affuse.training.statistics import normalisation_of

    keep_freed()
    changes = {"epochs": 1, "batch_size": batch, "selection": "last"}
    changes |= {"augmentation.horizontal_flip": 0.0, "augmentation.rotation": 0.0}
    recipe = load_recipe(RECIPE, changes)
    model, _ = first_model(classes)
    data = ClipDataset(
        Store(Path(folder) / "store"),
        Store(Path(folder) / "store").clips,
        recipe.streams,
        recipe.window,
        lambda clip, start, seconds: np.array(int(clip) % classes, np.int64),
    )
    task = task_of("classification", CLASSES[:classes])
    learner = Learner(model, recipe, task, normalisation_of(data, "published"))

    def work() -> dict[str, float]:
        run = Path(folder) / "run"
        shutil.rmtree(run, ignore_errors=True)
        run.mkdir()
        batches = loader(data, batch, "fixed")
        fit(learner, batches, None, run, "bench", ("accuracy", "max"), "cpu")
        header, row, *_ = (run / "log.csv").read_text(encoding="utf-8").splitlines()
        told = dict(zip(header.split(","), row.split(","), strict=True))
        return {"loss": float(told["train/loss"]), "own_mb": round(own_memory(), 1)}

    return work


def write_clips(folder: Path, clips: int) -> None:
    """The same arrays as a store and as one `.npy` per stream and clip."""
    write_store(folder / "store", STREAMS, clips)
    (folder / "plain").mkdir()
    for (spec, frames), kind in zip(STREAMS, ("mfcc", "faces"), strict=True):
        for name, values in zip(names(clips), arrays(spec, frames, clips), strict=True):
            np.save(folder / "plain" / f"{name}_{kind}.npy", values)


def compare(bench: Bench, clips: int) -> None:
    """Measure one number of clips."""
    folder = bench.folder / f"train{clips}"
    write_clips(folder, clips)
    options = _options(folder, clips)
    plain = "affuse.verification.bench.plain_training:train_plainly"
    sides = [Side(OURS, f"{__name__}:train", options), Side(PLAIN, plain, options)]
    runs = bench.measure(sides, clips=clips)
    for row in bench.rows[-2:]:
        row["cpu_per_step"] = float(f"{row['cpu_seconds'] / -(-clips // BATCH):.3g}")
    ours, theirs = (runs[side.name][0].outcome["loss"] for side in sides)
    bench.checks.append(
        Check("mean loss of the epoch, relative difference", abs(ours / theirs - 1), 0.01)
    )
    bench.targets.append(
        Target("times as fast as the plain loop (CPU)", ratio(runs, PLAIN, OURS), FASTER)
    )


def _options(folder: Path, clips: int) -> dict[str, Any]:
    return {"folder": str(folder), "clips": clips, "batch": BATCH, "classes": len(CLASSES)}


def grow(bench: Bench, limit: float) -> None:
    """How the cost of an epoch grows with its clips."""

    def side(clips: int) -> Side:
        folder = bench.folder / f"grown{clips}"
        write_store(folder / "store", STREAMS, clips)
        return Side(OURS, f"{__name__}:train", _options(folder, clips))

    bench.grow("clips", (2, 10, 100, 1000), side, limit)
