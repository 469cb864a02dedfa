"""How long an epoch of every system takes on features that were computed once.

    python docs/results/epochs.py [--clips 1440] [--threads 1] [--only RECIPE ...]

Prints the table of `performance.md`: generated features of 3.6 s per clip in a store, read, batched
and learned from as `affuse train` does, with the batch size, dropout and optimiser of the recipe.
CPU s are processor seconds of an epoch; `data` is the share of reading and batching.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from affuse.execution.memory import keep_freed
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.models.registry import create_model
from affuse.tasks.registry import task_of
from affuse.training.batches import loader
from affuse.training.data import ClipDataset
from affuse.training.fitting import fit
from affuse.training.learner import Learner
from affuse.training.recipe_files import load_recipe
from affuse.training.statistics import normalisation_of
from affuse.verification.bench.stages import Stages
from affuse.verification.bench.stores import CLASSES, write_store
from affuse.verification.bench.training import STAGES

SECONDS = 3.6
FACES = StreamSpec("video/frozen-efficientface", 15 / SECONDS, (1024,))
MFCC = StreamSpec("audio/mfcc10", 22050 / 512, (10,))
WAV2VEC2 = StreamSpec("audio/wav2vec2", 50.0, (1024,))
EMOCA = StreamSpec("video/emoca50", 30.0, (50,))
IR50 = StreamSpec("video/ir50", 30.0, (512,))
VGGISH = StreamSpec("audio/vggish", 30.0, (128,))
MFCC39 = StreamSpec("audio/mfcc39", 100.0, (39,))
VOICE = StreamSpec("audio/frozen-voice", 30.0, (512,))
#: Recipe -> its streams, and changes of its model.
SYSTEMS: dict[str, tuple[tuple[StreamSpec, ...], dict[str, object]]] = {
    "chumachenko-lt": ((MFCC, FACES), {}),
    "chumachenko-it": ((MFCC, FACES), {}),
    "chumachenko-ia": ((MFCC, FACES), {}),
    "avtca": ((MFCC, FACES), {}),
    "cremad-auxformer": ((WAV2VEC2, EMOCA), {}),
    "rjca-affwild2": ((IR50, VOICE), {"head": "classes"}),
    "leader-follower-affwild2": ((IR50, VGGISH, MFCC39), {"head": "classes"}),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1440)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        specs = {spec.name: spec for streams, _ in SYSTEMS.values() for spec in streams}
        streams = [(spec, round(SECONDS * spec.rate)) for spec in specs.values()]
        write_store(store, streams, options.clips)
        print("| recipe | clips in a batch | seconds | CPU s | data | clips per CPU s |")
        print("|---|---|---|---|---|---|")
        for name in options.only:
            epoch(name, store, Path(folder) / name)


def epoch(name: str, store: Path, out: Path) -> None:
    """Train one epoch and print a row."""
    streams, model_options = SYSTEMS[name]
    recipe = load_recipe(
        name,
        {
            "epochs": 1,
            "selection": "last",
            "window": SECONDS,
            "streams": [spec.name for spec in streams],
            "augmentation": {},
            "task": "classification",
            "over_time": {},
        },
    )
    options = dict(recipe.model) | model_options
    torch.manual_seed(1)
    model = create_model(options.pop("name"), {s.name: s for s in streams}, len(CLASSES), **options)
    opened = Store(store)

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return np.array(int(clip) % len(CLASSES), np.int64)

    data = ClipDataset(opened, opened.clips, recipe.streams, recipe.window, target)
    learner = Learner(
        model, recipe, task_of("classification", CLASSES), normalisation_of(data, "scalar")
    )
    out.mkdir()
    batches = loader(data, recipe.batch_size, "random", recipe.seed)
    spent, began = time.process_time(), time.perf_counter()
    with Stages(STAGES) as stages:
        fit(learner, batches, None, out, "epoch", ("accuracy", "max"), "cpu")
    spent, passed = time.process_time() - spent, time.perf_counter() - began
    share = stages.seconds["data"] / sum(stages.seconds.values())
    print(
        f"| {name} | {recipe.batch_size} | {passed:.1f} | {spent:.1f} | {share:.0%} | "
        f"{len(opened.clips) / spent:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
