"""The model file: weights and everything that prediction needs, in one .safetensors file."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from affuse.errors import AffuseError, BadInput
from affuse.execution.fields import short
from affuse.execution.files import atomic_path
from affuse.models.base import Model
from affuse.models.embedded import PREFIX, check_embedded, network_entries
from affuse.models.entries import content_digest, load_exactly, not_finite, parameters_at_most
from affuse.models.spec import ModelSpec, Smoothing, Windows
from affuse.models.spec_files import (
    DIGEST,
    KEY,
    described,
    opened_file,
    read_digest,
    read_spec,
    spec_of,
)

__all__ = [
    "ModelSpec",
    "Smoothing",
    "Windows",
    "load_model",
    "move_to",
    "read_digest",
    "read_spec",
    "save_model",
    "save_spec",
]


def save_model(
    path: Path,
    model: Model,
    spec: ModelSpec,
    networks: Mapping[str, Path] | None = None,
    half: bool = False,
) -> None:
    """Write a model file atomically; the same model and spec give the same bytes.

    Args:
        path: Where to, usually `*.safetensors`.
        model: The trained model, on any device.
        spec: Everything else.
        networks: Digest -> model file of the frozen networks whose features it reads, to be held
            inside.
        half: Whether matrices and kernels are rounded to float16, for a file of half the size.

    Raises:
        BadInput: A weight or a number of the spec is not finite, or out of range; or a network is
            not the one that its digest names.
    """
    state = {
        name: x.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, x in model.state_dict().items()
    }
    if half:
        state = {
            n: x.half() if x.is_floating_point() and x.ndim > 1 else x for n, x in state.items()
        }
    if bad := not_finite(state):
        raise BadInput(path, f"not written: weight {bad} is not finite (nan or inf)")
    held = {n: torch.from_numpy(x) for n, x in network_entries(networks or {}).items()}
    _write(path, spec, state | held)


def save_spec(file: Path, spec: ModelSpec, out: Path) -> None:
    """Write the weights and networks of a model file, as they are, with another spec, atomically.

    Args:
        file: Whose weights.
        spec: What is told about them instead.
        out: Where to; may be the same file.

    Raises:
        BadInput: The file is damaged, see `load_model`; or a number of the spec is not finite, or
            out of range.
    """
    load_model(file)
    with opened_file(file, "pt") as opened:
        # what safetensors opens has keys, and cannot be iterated over
        state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    _write(out, spec, state)


def _write(path: Path, spec: ModelSpec, state: Mapping[str, torch.Tensor]) -> None:
    """Write a model file atomically; a `BadInput` where the spec cannot be."""
    try:
        spec.check()
    except ValueError as error:
        raise BadInput(path, f"not written: {error}") from error
    told = json.loads(json.dumps(spec.to_json()))
    told[DIGEST] = content_digest(told, state)
    metadata = {KEY: json.dumps(told, ensure_ascii=False, allow_nan=False)}
    with atomic_path(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # safetensors would leave it to this user alone
        save_file(dict(state), temporary, metadata)
        temporary.chmod(mode)


def load_model(path: Path) -> tuple[Model, ModelSpec]:
    """Read a model file.

    Args:
        path: A file that `save_model` wrote.

    Returns:
        The model in evaluation mode on the CPU, and its spec.

    Raises:
        BadInput: Missing, damaged (its content is compared with its digest, if it has one), of
            another program, or of a newer version of affuse; or a weight is missing, not finite or
            of another shape or type.
    """
    path = Path(path)
    told = described(path)
    with opened_file(path, "pt") as file:
        spec = spec_of(path, told)
        names = list(file.keys())
        try:
            # neither time nor random numbers spent on weights to replace
            with (
                warnings.catch_warnings(action="ignore"),
                torch.device("meta"),
                parameters_at_most(1000 + 10 * len(names)),
            ):
                model = spec.build()
        except Exception as error:  # a description can ask for anything
            raise BadInput(
                path, f"holds a model that cannot be built: {short(str(error), 300)}"
            ) from error
        state = {name: file.get_tensor(name) for name in names}
        own = {n: x for n, x in state.items() if not n.startswith(PREFIX)}
        whole = {n: x.float() if x.dtype == torch.float16 else x for n, x in own.items()}
        load_exactly(path, model, whole)
        check_embedded(path, {n: x.numpy() for n, x in state.items() if n.startswith(PREFIX)})
        told_digest = told.pop(DIGEST, None)
        if told_digest is not None and told_digest != content_digest(told, state):
            raise BadInput(path, "is damaged: its content is not what its digest says")
    return model.eval(), spec


def move_to(model: nn.Module, device: str) -> None:
    """Move a model to a device.

    Raises:
        AffuseError: There is no such device here.
    """
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise AffuseError(f"device {device!r}: {str(error).splitlines()[0]}") from error
