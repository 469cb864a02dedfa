"""The training of a published checkpoint, continued: weights, momentum of SGD, and epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.execution.checkpoint_files import read_training
from affuse.models.checkpoints import import_state, system_module, system_of
from affuse.models.options import defaults
from affuse.models.registry import MODELS
from affuse.models.systems.renaming import translate
from affuse.training.initial import Initial
from affuse.training.recipe import Recipe


def read_continued(recipe: Recipe, names: Sequence[str]) -> Initial:
    """The checkpoint of the recipe's `resume_path`.

    Args:
        recipe: Of the same model in its published form.
        names: The classes, in the order of the checkpoint's scores.

    Raises:
        BadInput: It is of another model, or does not hold what a training needs to go on.
    """
    path = Path(recipe.resume_path)
    state, beside = read_training(path)
    system = system_of(path, state)
    module = system_module(system)
    model, spec = import_state(system, path, state, classes=list(names))
    if spec.model != recipe.model["name"]:
        raise BadInput(path, f"holds a model {spec.model}, not {recipe.model['name']}")
    usual = defaults(MODELS[spec.model].load()) | recipe.model
    for key, value in spec.options.items():
        if key not in ("audio", "video", "heads") and usual[key] != value:
            raise BadInput(
                path, f"holds the published form of {spec.model}: set model.{key}={value}"
            )
    rules = module.rules(model)
    if hasattr(module, "clean"):
        state = module.clean(path, state)
    order = [str(translate(name, rules)) for name in state]
    momentum = _momentum(path, beside.get("optimizer"), model, order)
    epoch = beside.get("epoch")
    if not isinstance(epoch, int) or epoch < 1:
        raise BadInput(path, "does not say after how many epochs it was saved")
    if epoch >= recipe.epochs:
        raise BadInput(path, f"was saved after {epoch} epochs; epochs={recipe.epochs} is no more")
    return Initial(path, spec, model.state_dict(), epoch, momentum)


def _momentum(
    path: Path, saved: object, model: nn.Module, order: Sequence[str]
) -> dict[str, Tensor]:
    """Parameter -> momentum.

    The state of an optimiser of torch is numbered; numbers follow the order in which the published
    model lists its parameters. A parameter that never had a gradient has no momentum.

    Args:
        path: The file that messages name.
        saved: What it holds of its optimiser.
        model: The imported model.
        order: Its entries in published order.
    """
    if not isinstance(saved, Mapping) or not isinstance(saved.get("state"), Mapping):
        raise BadInput(
            path, "holds no state of an optimiser: convert it and start from the weights with init"
        )
    parameters = dict(model.named_parameters())
    names = [name for name in order if name in parameters]
    numbers = [number for group in saved.get("param_groups", ()) for number in group["params"]]
    if len(numbers) != len(names):
        raise BadInput(
            path, f"its optimiser has {len(numbers)} parameters, the model has {len(names)}"
        )
    found: dict[str, Tensor] = {}
    for number, name in zip(numbers, names, strict=True):
        if (state := saved["state"].get(number)) is None:
            continue
        buffer = state.get("momentum_buffer")
        if not isinstance(buffer, Tensor) or buffer.shape != parameters[name].shape:
            raise BadInput(path, f"its optimiser is not SGD with momentum of this model ({name})")
        found[name] = buffer
    return found


class Continue(lightning.Callback):
    """Goes on at an epoch with the momentum of another training.

    Args:
        initial: What it goes on from.
    """

    def __init__(self, initial: Initial) -> None:
        self.initial = initial

    def on_train_start(self, trainer: lightning.Trainer, module: Any) -> None:
        """Set the epochs that are done, and the momentum."""
        done = dict.fromkeys(("ready", "started", "processed", "completed"), self.initial.epochs)
        trainer.fit_loop.epoch_progress.current.load_state_dict(done)
        state = trainer.optimizers[0].state
        for name, parameter in module.model.named_parameters():
            if name in self.initial.momentum:
                buffer = self.initial.momentum[name].to(parameter)
                state[parameter]["momentum_buffer"] = buffer.clone()
