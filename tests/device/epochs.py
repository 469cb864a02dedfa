"""An epoch whose windows are read from a store, beside one whose windows stay on the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from affuse.features.store import Store
from affuse.training.batches import loader
from affuse.training.data import ClipDataset
from affuse.training.learner import optimiser_of
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe
from affuse.training.resident import keep_on
from affuse.verification.bench.stores import write_store
from tests.device import generated
from tests.device.setting import Figures, Setting
from tests.device.steps import learner_of
from tests.device.timing import seconds, without_tf32

_RECIPES = ("chumachenko-ia", "leader-follower-affwild2", "cremad-auxformer")
_ROOM = 1 << 35


def measure(setting: Setting) -> Figures:
    """For each recipe the milliseconds of a step, and of them those that get its batch."""
    without_tf32()
    for name in _RECIPES[-1:] if setting.quick else _RECIPES:
        yield name, _of(load_recipe(name), setting)


def _of(recipe: Recipe, setting: Setting) -> dict[str, Any]:
    clips = 16 if setting.quick else 256
    size = 4 if setting.quick else recipe.batch_size
    specs = generated.specs_of(recipe)
    folder = setting.work / recipe.name
    lengths = [(spec, max(1, round(recipe.window * spec.rate))) for spec in specs.values()]
    write_store(folder, lengths, clips)
    store = Store(folder)
    targets = generated.batch_of(recipe, {}, clips).targets
    assert targets is not None

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return targets[int(clip)].numpy()

    learner = learner_of(recipe, setting.device)
    optimiser = optimiser_of(learner.model, recipe.optimiser)
    found: dict[str, Any] = {"clips": clips, "batch": size}
    for way in ("read", "resident"):
        data = ClipDataset(store, store.clips, recipe.streams, recipe.window, target)
        if way == "resident":
            keep_on(torch.device(setting.device), data, _ROOM)
            assert data.resident is not None
        batches = loader(data, size, "random")

        def fetch(batches: Any = batches) -> None:
            for batch in batches:
                batch.to(setting.device)

        def learn(batches: Any = batches) -> None:
            for batch in batches:
                optimiser.zero_grad(set_to_none=True)
                learner.training_step(batch.to(setting.device), 0).backward()
                optimiser.step()

        for what, run in (("data", fetch), ("step", learn)):
            took = seconds(run, setting.device, 1 if setting.quick else 3, warm=1)
            found[f"{way}_{what}_ms"] = round(1000 * took / len(batches), 3)
    return found
