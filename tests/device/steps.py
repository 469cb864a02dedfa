"""A training step of every recipe on a generated batch, beside what the device reaches at best."""

from __future__ import annotations

import copy
import gc
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from affuse.models.registry import create_model
from affuse.training.learner import Learner, optimiser_of
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import list_recipes, load_recipe
from affuse.training.selection import learned_task
from tests.device import generated
from tests.device.setting import Figures, Setting
from tests.device.timing import seconds, settle, without_tf32

_QUICK = ("demo", "ravdess-speech-audio")
#: Compiled first, for compiling takes long: of each kind of model one.
_COMPILED = ("ferplus-ir50", "chumachenko-ia", "cremad-auxformer", "ferplus-small", "rjca-affwild2")


class Silent(Learner):
    """A learner without a trainer to report to."""

    def log(self, *_: Any, **__: Any) -> None:
        """Nobody reads it."""


def measure(setting: Setting) -> Figures:
    """For each recipe milliseconds, clips per second, memory; eagerly, then some compiled."""
    warnings.filterwarnings("ignore")
    without_tf32()
    names = _QUICK if setting.quick else list_recipes()
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        found[name] = _of(name, setting, ("eager",))
        yield name, found[name]
    for name in () if setting.quick else _COMPILED:  # it takes longer than all else
        yield name, found[name] | _of(name, setting, ("compiled",))


def _of(name: str, setting: Setting, ways: tuple[str, ...]) -> dict[str, Any]:
    recipe = load_recipe(name)
    found: dict[str, Any] = {}
    for way in ways:
        for precision in ("float32", "bf16"):
            try:
                found[f"{way}_{precision}"] = _step(recipe, setting, precision, way == "compiled")
            except Exception as error:  # one model must not hide the others
                found[f"{way}_{precision}"] = {"error": f"{type(error).__name__}: {error}"[:500]}
    return found


def learner_of(recipe: Recipe, device: str) -> Silent:
    """The model of a recipe on a device, as it begins to learn."""
    torch.manual_seed(0)
    specs, outputs = generated.specs_of(recipe), generated.outputs_of(recipe)
    options = {key: value for key, value in recipe.model.items() if key != "name"}
    model = create_model(recipe.model["name"], specs, len(outputs), **options).to(device).train()
    task = learned_task(recipe, model, outputs)
    return Silent(model, recipe, task, generated.statistics_of(specs))


def _step(recipe: Recipe, setting: Setting, precision: str, compiled: bool) -> dict[str, Any]:
    gc.collect()  # what the step before has left is not in the memory of this one
    device, clips = setting.device, 2 if setting.quick else recipe.batch_size
    learner = learner_of(recipe, device)
    optimiser = optimiser_of(learner.model, recipe.optimiser)
    batch = generated.batch_of(recipe, generated.specs_of(recipe), clips).to(device)
    if compiled:
        learner.model = torch.compile(copy.deepcopy(learner.model))
        optimiser = optimiser_of(learner.model, recipe.optimiser)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        kind = device.split(":")[0]
        with torch.autocast(kind, torch.bfloat16, enabled=precision == "bf16"):
            loss = learner.training_step(batch, 0)
        loss.backward()
        optimiser.step()

    return _measured(step, device, clips, setting.quick, compiled)


def _measured(
    step: Callable[[], None], device: str, clips: int, quick: bool, compiled: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {"clips": clips}
    if not compiled:
        with FlopCounterMode(display=False) as counter:
            step()
        found["gflop"] = round(counter.get_total_flops() / 1e9, 3)
    if device != "cpu":
        settle(device)
        torch.cuda.reset_peak_memory_stats()
    took = seconds(step, device, 2 if quick else 10, warm=1 if quick else 3)
    found |= {"ms": round(1000 * took, 3), "clips_per_second": round(clips / took, 1)}
    if "gflop" in found:
        found["tflops"] = round(found["gflop"] / 1000 / took, 3)
    if device != "cpu":
        found["peak_memory_mb"] = round(torch.cuda.max_memory_allocated() / 1e6, 1)
    return found
