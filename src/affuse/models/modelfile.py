"""The model file: weights and everything that prediction needs, in one .safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from affuse.errors import AffuseError, BadInput
from affuse.execution.files import atomic_path
from affuse.features.batch import Normalisation
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.embedded import PREFIX, network_entries
from affuse.models.registry import create_model

FORMAT = 1
KEY = "affuse"  # the one entry of the metadata: several would be written in no fixed order

#: How windows over a recording lie: `overlap`, two thirds of their length apart, their mean
#: counting; `published`, end to end, as in the test of recursive joint attention.
Windows = Literal["overlap", "published"]
#: Seconds of a mean over time around each frame; or frames of the published mean, by dimension.
Smoothing = float | list[int]


@dataclass
class ModelSpec:
    """Everything about a trained model but its weights.

    Args:
        model: Name in the registry.
        options: Options that it was built with.
        streams: The streams that it reads, by name.
        normalisation: Statistics of these streams, by name.
        classes: Names of the classes, in the order of the scores.
        task: What it predicts.
        window: Seconds that it sees at a time; None where its streams have a fixed span.
        smoothing: Seconds over which its values over time are averaged, chosen on development
            clips; 0 for none. Or frames per dimension, as published: `Series.smoothed`.
        windows: How its windows over a recording lie, where it gives values over time.
        delay: Seconds by which annotations came later than what they are about, as it learned it:
            its values are moved by as much.
        training: What it was trained on: data, protocol, fold, seed, licence of the data.
        version: The affuse version that wrote it.
    """

    model: str
    options: dict[str, Any]
    streams: dict[str, StreamSpec]
    normalisation: dict[str, Normalisation]
    classes: list[str]
    task: str = "classification"
    window: float | None = None
    smoothing: Smoothing = 0.0
    windows: Windows = "overlap"
    delay: float = 0.0
    training: dict[str, Any] = field(default_factory=dict)
    version: str = field(default_factory=lambda: version("affuse"))

    @property
    def seconds(self) -> float:
        """How much the model sees at a time."""
        spans = [stream.span for stream in self.streams.values() if stream.span is not None]
        return self.window or max(spans)

    def smoothing_of(self, name: str) -> Smoothing:
        """The smoothing of one dimension by itself."""
        if isinstance(self.smoothing, float | int):
            return self.smoothing
        return [self.smoothing[self.classes.index(name)]]

    @property
    def hop(self) -> float:
        """Greatest distance in seconds between the windows that cover a recording."""
        return self.seconds / 4

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values."""
        return {
            "format": FORMAT,
            **vars(self),
            "streams": {name: spec.to_json() for name, spec in self.streams.items()},
            "normalisation": {name: x.to_json() for name, x in self.normalisation.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelSpec:
        """The inverse of `to_json`."""
        streams = {name: StreamSpec.from_json(x) for name, x in value["streams"].items()}
        statistics = {n: Normalisation.from_json(x) for n, x in value["normalisation"].items()}
        plain = {name: x for name, x in value.items() if name != "format"}
        return cls(**plain | {"streams": streams, "normalisation": statistics})

    def build(self) -> Model:
        """The model with fresh weights."""
        return create_model(self.model, self.streams, len(self.classes), **self.options)


def save_model(
    path: Path, model: Model, spec: ModelSpec, networks: Mapping[str, Path] | None = None
) -> None:
    """Write a model file atomically; the same model and spec give the same bytes.

    Args:
        path: Where to, usually `*.safetensors`.
        model: The trained model, on any device.
        spec: Everything else.
        networks: Digest -> model file of the frozen networks whose features it reads, to be held
            inside.
    """
    state = {
        name: x.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, x in model.state_dict().items()
    }
    metadata = {KEY: json.dumps(spec.to_json(), ensure_ascii=False, allow_nan=False)}
    with atomic_path(path) as temporary:
        save_file(state | network_entries(networks or {}), temporary, metadata)


def read_spec(path: Path) -> ModelSpec:
    """The spec of a model file, without its weights.

    Raises:
        BadInput: Missing, damaged, of another program, or of a newer version of affuse.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(path, "no such file")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise BadInput(path, f"not a model file, or damaged ({error})") from error
    if KEY not in metadata:
        raise BadInput(path, "a safetensors file, but not a model file of affuse")
    try:
        value = json.loads(metadata[KEY])
        newer = value["format"] > FORMAT
        if not newer:
            return ModelSpec.from_json(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput(path, f"its description is damaged ({error!r})") from error
    raise BadInput(path, f"made by a newer affuse ({value.get('version')}); update affuse")


def load_model(path: Path) -> tuple[Model, ModelSpec]:
    """Read a model file.

    Args:
        path: A file that `save_model` wrote.

    Returns:
        The model in evaluation mode on the CPU, and its spec.

    Raises:
        BadInput: Missing, damaged, of another program, or of a newer version of affuse.
    """
    spec = read_spec(path)
    try:
        with torch.device("meta"):  # neither time nor random numbers spent on weights to replace
            model = spec.build()
    except (AffuseError, ValueError, TypeError, RuntimeError) as error:
        raise BadInput(path, f"holds a model that cannot be built: {error}") from error
    state = load_file(path)
    load_exactly(path, model, {n: x for n, x in state.items() if not n.startswith(PREFIX)})
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


def check_entries(path: Path, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Compare entries: nothing may be missing, left over or of another shape.

    Args:
        path: The file that messages name.
        own: What the model needs.
        given: What the file holds.

    Raises:
        BadInput: The entries do not fit; the message names the first three.
    """
    shared = [name for name in own if name in given]
    for problem, names in (
        ("lacks weights", [name for name in own if name not in given]),
        ("has unknown weights", [name for name in given if name not in own]),
        ("has weights of another shape", [n for n in shared if own[n].shape != given[n].shape]),
    ):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise BadInput(path, f"{problem}: {', '.join(names[:3])}{more}")


def load_exactly(path: Path, model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Replace all weights of a model, which may be on the meta device.

    Args:
        path: The file that messages name.
        model: The model.
        state: Entry -> value.

    Raises:
        BadInput: The entries do not fit.
    """
    own = model.state_dict()
    check_entries(path, own, state)
    fitting = {name: state[name].to(own[name].dtype).clone() for name in own}
    model.load_state_dict(fitting, assign=True)
