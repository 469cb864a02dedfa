"""The model file: weights and everything that prediction needs, in one .safetensors file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from affuse.errors import AffuseError, BadInput
from affuse.execution.fields import (
    LARGEST,
    check_list,
    check_mapping,
    check_number,
    check_one_of,
    check_plain,
    check_text,
    check_whole,
    short,
)
from affuse.execution.files import atomic_path
from affuse.features.batch import Normalisation
from affuse.features.stream import SECONDS, StreamSpec
from affuse.models.base import Model
from affuse.models.embedded import PREFIX, check_embedded, network_entries
from affuse.models.entries import content_digest, load_exactly, not_finite, parameters_at_most
from affuse.models.registry import CLASSIFICATION, EMBEDDING, VALENCE_AROUSAL, create_model

FORMAT = 1
KEY = "affuse"  # the one entry of the metadata: several would be written in no fixed order

#: How windows over a recording lie: `overlap`, two thirds of their length apart, their mean
#: counting; `published`, end to end, as in the test of recursive joint attention.
Windows = Literal["overlap", "published"]
#: Seconds of a mean over time around each frame; or frames of the published mean, by dimension.
Smoothing = float | list[int]
TASKS = (CLASSIFICATION, "distribution", VALENCE_AROUSAL, EMBEDDING)
#: In the description: SHA-256 of everything else in the file.
DIGEST = "digest"
#: What a spec can say: names, seconds of delay, frames of smoothing, values of all streams of a
#: window.
_CLASSES, _DELAY, _FRAMES, _WINDOW = 10_000, 600.0, 100_000, 1 << 27


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
        """The inverse of `to_json`, of values that a file tells.

        Raises:
            KeyError, TypeError: One of them is missing, or is not known.
            ValueError: One of them cannot be; the message names it.
        """
        check_mapping("streams", value["streams"])
        check_mapping("normalisation", value["normalisation"])
        streams = {name: StreamSpec.from_json(x) for name, x in value["streams"].items()}
        statistics = {n: Normalisation.from_json(x) for n, x in value["normalisation"].items()}
        plain = {name: x for name, x in value.items() if name != "format"}
        spec = cls(**plain | {"streams": streams, "normalisation": statistics})
        spec.check()
        return spec

    def check(self) -> None:
        """Refuse what no model file can say.

        Raises:
            ValueError: The message names the field and what is expected.
        """
        check_text("model", self.model)
        check_mapping("options", self.options)
        check_plain("options", self.options, LARGEST)
        for name, stream in self.streams.items():
            if stream.name != name:
                raise ValueError(f"streams.{short(name)} is named {stream.name}")
        for name, statistics in self.normalisation.items():
            if name not in self.streams:
                raise ValueError(f"normalisation names {short(name)}, which is not among streams")
            for part in (statistics.mean, statistics.std):
                if len(part) not in (1, self.streams[name].shape[-1]):
                    raise ValueError(
                        f"normalisation of {name} has {len(part)} values; its frames have "
                        f"{self.streams[name].shape[-1]}"
                    )
        check_list("classes", self.classes, 1, _CLASSES)
        for word in self.classes:
            check_text("classes", word)
        if len(set(self.classes)) < len(self.classes):
            raise ValueError("classes names one twice")
        check_one_of("task", self.task, TASKS)
        check_one_of("windows", self.windows, get_args(Windows))
        check_number("delay", self.delay, 0, _DELAY)
        if isinstance(self.smoothing, list):
            check_list("smoothing", self.smoothing, len(self.classes), len(self.classes))
            for frames in self.smoothing:
                check_whole("smoothing", frames, 1, _FRAMES)
        else:
            check_number("smoothing", self.smoothing, 0, SECONDS[1])
        check_mapping("training", self.training)
        check_plain("training", self.training)
        check_text("version", self.version)
        if self.window is not None:
            check_number("window", self.window, *SECONDS)
        elif all(stream.span is None for stream in self.streams.values()):
            raise ValueError("window is missing, and no stream has a span")
        check_window(self.streams, self.seconds)

    def build(self) -> Model:
        """The model with fresh weights."""
        return create_model(self.model, self.streams, len(self.classes), **self.options)


def check_window(streams: Mapping[str, StreamSpec], seconds: float) -> None:
    """Refuse windows that no memory holds.

    Args:
        streams: The streams of a model.
        seconds: Length of its windows.

    Raises:
        ValueError: They hold more than half a gigabyte as numbers.
    """
    rows = {n: max(1.0, s.rate * (s.span or seconds)) for n, s in streams.items()}
    values = sum(math.prod(spec.shape) * rows[name] for name, spec in streams.items())
    if values > _WINDOW:
        raise ValueError(
            f"window is {seconds:g} s: {values:,.0f} values at a time; at most {_WINDOW:,}"
        )


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

    Raises:
        BadInput: A weight or a number of the spec is not finite, or out of range; or a network is
            not the one that its digest names.
    """
    state = {
        name: x.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, x in model.state_dict().items()
    }
    if bad := not_finite(state):
        raise BadInput(path, f"not written: weight {bad} is not finite (nan or inf)")
    try:
        spec.check()
    except ValueError as error:
        raise BadInput(path, f"not written: {error}") from error
    state |= network_entries(networks or {})
    told = json.loads(json.dumps(spec.to_json()))
    told[DIGEST] = content_digest(told, state)
    metadata = {KEY: json.dumps(told, ensure_ascii=False, allow_nan=False)}
    with atomic_path(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # safetensors would leave it to this user alone
        save_file(state, temporary, metadata)
        temporary.chmod(mode)


def read_spec(path: Path) -> ModelSpec:
    """The spec of a model file, without its weights; its digest is not compared.

    Raises:
        BadInput: Missing, damaged, of another program, or of a newer version of affuse.
    """
    with _opened(path) as file:
        return _spec(Path(path), _described(Path(path), file))


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
    with _opened(path) as file:
        told = _described(path, file)
        spec = _spec(path, told)
        names = list(file.keys())
        try:
            # neither time nor random numbers spent on weights to replace
            with torch.device("meta"), parameters_at_most(1000 + 10 * len(names)):
                model = spec.build()
        except Exception as error:  # a description can ask for anything
            raise BadInput(
                path, f"holds a model that cannot be built: {short(str(error), 300)}"
            ) from error
        state = {name: file.get_tensor(name) for name in names}
        load_exactly(path, model, {n: x for n, x in state.items() if not n.startswith(PREFIX)})
        check_embedded(path, {n: x for n, x in state.items() if n.startswith(PREFIX)})
        told_digest = told.pop(DIGEST, None)
        if told_digest is not None and told_digest != content_digest(told, state):
            raise BadInput(path, "is damaged: its content is not what its digest says")
    return model.eval(), spec


def read_digest(path: Path) -> str | None:
    """The digest in a model file; None in those of the first versions of affuse.

    Raises:
        BadInput: It is no model file.
    """
    with _opened(path) as file:
        return _described(Path(path), file).get(DIGEST)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file; its header is checked against its length by the library."""
    path = Path(path)
    if not path.is_file():
        raise BadInput(path, "no such file")
    try:
        with safe_open(path, "pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        reason = short(str(error), 200)
        raise BadInput(path, f"not a model file, or damaged ({reason})") from error


def _described(path: Path, file: Any) -> dict[str, Any]:
    """The description in a model file, as JSON values."""
    metadata = file.metadata() or {}
    if KEY not in metadata:
        raise BadInput(path, "a safetensors file, but not a model file of affuse")
    try:
        value = json.loads(metadata[KEY])
        check_mapping("description", value)
        check_whole("format", value.get("format"), 1, LARGEST)
    except (ValueError, RecursionError) as error:
        raise BadInput(path, f"its description is damaged ({error})") from error
    if value["format"] > FORMAT:
        newer = short(value.get("version"), 20)
        raise BadInput(path, f"made by a newer affuse ({newer}); update affuse")
    return dict(value)


def _spec(path: Path, told: Mapping[str, Any]) -> ModelSpec:
    """The spec that a description tells."""
    try:
        return ModelSpec.from_json({key: x for key, x in told.items() if key != DIGEST})
    except ValueError as error:
        raise BadInput(path, f"its description is damaged: {error}") from error
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = short(repr(error), 200)
        raise BadInput(path, f"its description is damaged ({reason})") from error


def move_to(model: nn.Module, device: str) -> None:
    """Move a model to a device.

    Raises:
        AffuseError: There is no such device here.
    """
    try:
        model.to(device)
    except (RuntimeError, AssertionError) as error:
        raise AffuseError(f"device {device!r}: {str(error).splitlines()[0]}") from error
