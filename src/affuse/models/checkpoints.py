"""Published checkpoints into model files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError, BadInput
from affuse.execution.checkpoint_files import read_checkpoint
from affuse.execution.files import atomic_path
from affuse.models.base import Model
from affuse.models.entries import check_entries, load_exactly
from affuse.models.modelfile import ModelSpec, load_model, read_spec, save_model
from affuse.models.options import check_options, current_options
from affuse.models.systems import SYSTEMS
from affuse.models.systems.renaming import Rules, inverse, translate


def import_state(
    system: str, path: Path, state: Mapping[str, Tensor], **options: Any
) -> tuple[Model, ModelSpec]:
    """A model with published weights.

    Args:
        system: One of `SYSTEMS`.
        path: The file that messages name.
        state: Published entry -> value.
        options: Settings not stored in the checkpoint, such as `heads`.

    Returns:
        The model in evaluation mode on the CPU, and its spec.

    Raises:
        AffuseError: No such system or option.
        BadInput: The weights are of another system, or not complete.
    """
    module = system_module(system)
    options = current_options(options)
    check_options(f"system {system}", module.describe, options)
    if not module.recognises(state):
        others = [name for name in SYSTEMS if system_module(name).recognises(state)]
        held = f"weights of {others[0]}" if others else f"weights such as {next(iter(state))}"
        raise BadInput(path, f"holds {held}, not of {system}")
    if hasattr(module, "clean"):
        state = module.clean(path, state)
    try:
        spec = module.describe(path, state, **options)
        with torch.device("meta"):
            model = spec.build()
    except BadInput:
        raise
    except (AffuseError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise BadInput(path, f"cannot be imported: {error}") from error
    if hasattr(module, "additions"):
        state = {**state, **module.additions(state, **options)}
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
            return _published(module, model, rules)
    raise AffuseError(f"{type(model).__name__} here is not in the form of a published checkpoint")


def _published(module: Any, model: nn.Module, rules: Rules) -> dict[str, Tensor]:
    back = inverse(rules)
    state = {}
    for name, x in model.state_dict().items():
        published = translate(name, back)
        if published is None:
            raise AffuseError(f"its weight {name} has no name in a published checkpoint")
        state[published] = x
    return dict(module.complete(state)) if hasattr(module, "complete") else state


def convert(system: str, checkpoint: Path, out: Path, **options: Any) -> ModelSpec:
    """Turn a published checkpoint into a model file.

    Args:
        system: One of `SYSTEMS`.
        checkpoint: The published file.
        out: The model file to write.
        options: Settings not stored in the checkpoint, such as `heads` (chumachenko, 1 by
            default) and `classes` (the names, where the published data set is not meant).

    Returns:
        The spec in the model file.

    Raises:
        AffuseError: No such system or option.
        BadInput: The checkpoint cannot be read, is of another system, or not complete.
    """
    check_options(f"system {system}", system_module(system).describe, options)
    checkpoint = Path(checkpoint)
    _check_other_file(checkpoint, out)
    state, place = _read(system_module(system), checkpoint)
    model, spec = import_state(system, checkpoint, state, **options)
    if place:
        spec.training["weights"] = place
    save_model(out, model, spec)
    return spec


def _read(module: Any, checkpoint: Path) -> tuple[dict[str, Tensor], str]:
    """The entries of a file and, where it holds several sets of them, where these were."""
    if hasattr(module, "read"):
        state, place = module.read(checkpoint)
        return state, place
    return read_checkpoint(checkpoint), ""


def convert_back(system: str, model_file: Path, out: Path) -> int:
    """Turn a model file into a state dict with the published names, which the published code loads.

    Args:
        system: One of `SYSTEMS`.
        model_file: What `convert` made, or what was trained in the published form.
        out: The PyTorch file to write.

    Returns:
        The number of entries.

    Raises:
        AffuseError: No such system.
        BadInput: The model file cannot be read, or is not in the published form of the system.
    """
    module = system_module(system)
    _check_other_file(model_file, out)
    model, spec = load_model(model_file)
    if spec.shrinkage is not None:
        raise BadInput(
            model_file, f"was trained with normalisation=speaker, which {system} does not have"
        )
    rules = module.rules(model)
    if rules is None:
        raise BadInput(model_file, f"holds {spec.model} in a form that {system} does not have")
    try:
        state = _published(module, model, rules)
    except AffuseError as error:
        raise BadInput(model_file, str(error)) from error
    with atomic_path(Path(out)) as temporary:
        torch.save(state, temporary)
    return len(state)


def _check_other_file(source: Path, out: Path) -> None:
    """Refuse to write over what is read, or over a folder."""
    if Path(out).is_dir():
        raise BadInput(out, "is a folder; name the file to write")
    if Path(out).resolve() == Path(source).resolve():
        raise BadInput(out, "is the file that is read; write another one")


def system_module(system: str) -> Any:
    """The module of a system; an `AffuseError` where there is none."""
    return SYSTEMS[system].load()


def system_of(path: Path, state: Mapping[str, Tensor]) -> str:
    """The system that published weights are of; `BadInput` where it is none that is known."""
    for system in SYSTEMS:
        if system_module(system).recognises(state):
            return system
    raise BadInput(path, f"holds weights such as {next(iter(state))}, of no known system")


#: Models that hold one network, `backbone`, which other models may start from.
BACKBONES = ("efficientface", "ir50", "vggish")


def load_backbone(model: nn.Module, path: Path) -> None:
    """Start the networks of a model that see one frame at a time from a pretrained one.

    Args:
        model: A model with such a network in it.
        path: Model file of one of `BACKBONES`, made by `convert` or trained; its classifier is
            not used.

    Raises:
        AffuseError: The model has no such network.
        BadInput: The file is no such model file, or its network is of another variant.
    """
    spec = read_spec(path)
    if spec.model not in BACKBONES:
        raise BadInput(path, f"holds a model {spec.model}, not one of {', '.join(BACKBONES)}")
    network = load_model(path)[0].get_submodule("backbone")
    own = [part for part in model.modules() if type(part) is type(network)]
    if not own:
        name = type(network).__name__
        raise AffuseError(f"{type(model).__name__} here has no {name} to load {path} into")
    state = network.state_dict()
    for part in own:
        if part.state_dict().keys() != state.keys():
            raise BadInput(path, f"holds {spec.model} with {spec.options}, unlike the model's own")
        part.load_state_dict(state)
