"""Published checkpoints into model files."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import read_checkpoint
from affuse.models.backbones.efficientface import EfficientFace
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec, check_entries, load_exactly, load_model, save_model
from affuse.models.options import check_options, unknown
from affuse.models.published import SYSTEMS
from affuse.models.published.names import inverse, translate

def import_state(
    system: str, path: Path, state: Mapping[str, Tensor], **options: Any
) -> tuple[Model, ModelSpec]:
    """A model with published weights.

    Args:
        system: One of `SYSTEMS`.
        path: The file that messages name.
        state: Published entry -> value.
        options: What the weights do not tell, such as `heads`.

    Returns:
        The model in evaluation mode on the CPU, and its spec.

    Raises:
        AffuseError: No such system or option.
        BadInput: The weights are of another system, or not complete.
    """
    module = system_module(system)
    check_options(f"system {system}", module.describe, options)
    if not module.recognises(state):
        others = [name for name in SYSTEMS if system_module(name).recognises(state)]
        held = f"weights of {others[0]}" if others else f"weights such as {next(iter(state))}"
        raise BadInput(path, f"holds {held}, not of {system}")
    if hasattr(module, "clean"):
        state = module.clean(path, state)
    spec = module.describe(path, state, **options)
    try:
        with torch.device("meta"):
            model = spec.build()
    except AffuseError as error:
        raise BadInput(path, f"cannot be imported: {error}") from error
    rules = module.rules(model)
    back = inverse(rules)
    check_entries(path, {str(translate(n, back)): x for n, x in model.state_dict().items()}, state)
    load_exactly(path, model, {str(translate(name, rules)): x for name, x in state.items()})
    return model.eval(), spec


def published_state_dict(model: nn.Module) -> dict[str, Tensor]:
    """The weights of a model under their published names; the inverse of importing.

    Raises:
        AffuseError: The model is not one of a published system in its published form.
    """
    for system in SYSTEMS:
        module = system_module(system)
        rules = module.rules(model)
        if rules is not None:
            back = inverse(rules)
            state = {str(translate(name, back)): x for name, x in model.state_dict().items()}
            return module.complete(state) if hasattr(module, "complete") else state
    raise AffuseError(f"{type(model).__name__} here is not in the form of a published checkpoint")


def convert(system: str, checkpoint: Path, out: Path, **options: Any) -> ModelSpec:
    """Turn a published checkpoint into a model file.

    Args:
        system: One of `SYSTEMS`.
        checkpoint: The published file.
        out: The model file to write.
        options: What the weights do not tell: `heads` (chumachenko, 1 by default) and `classes`
            (the names, where the published data set is not meant).

    Returns:
        The spec in the model file.

    Raises:
        AffuseError: No such system or option.
        BadInput: The checkpoint cannot be read, is of another system, or not complete.
    """
    check_options(f"system {system}", system_module(system).describe, options)
    checkpoint = Path(checkpoint)
    model, spec = import_state(system, checkpoint, read_checkpoint(checkpoint), **options)
    save_model(out, model, spec)
    return spec


def system_module(system: str) -> Any:
    """The module of a system; an `AffuseError` where there is none."""
    if system not in SYSTEMS:
        raise unknown("system", system, SYSTEMS)
    return import_module(SYSTEMS[system])


def load_backbone(model: nn.Module, path: Path) -> None:
    """Start a model's image network from a pretrained one.

    Args:
        model: A model with EfficientFace in it.
        path: Model file of `efficientface`, made by `convert`; its classifier is not used.

    Raises:
        AffuseError: The model has no such network.
        BadInput: The file is no such model file.
    """
    own = [part for part in model.modules() if isinstance(part, EfficientFace)]
    if not own:
        raise AffuseError(f"{type(model).__name__} here has no EfficientFace to load {path} into")
    pretrained, spec = load_model(path)
    if spec.model != "efficientface":
        raise BadInput(path, f"holds a model {spec.model}, not the backbone efficientface")
    state = pretrained.get_submodule("backbone").state_dict()
    for part in own:
        part.load_state_dict(state)
