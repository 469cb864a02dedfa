"""The spec of a trained model: everything about it but its weights, and what each field can be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, get_args

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
from affuse.features.baseline import SHRINKAGE, Baselines
from affuse.features.normalisation import Normalisation
from affuse.features.stream import SECONDS, StreamSpec
from affuse.models.calibration import ModelCalibration
from affuse.models.registry import CLASSIFICATION, EMBEDDING, VALENCE_AROUSAL, create_model

if TYPE_CHECKING:
    from affuse.models.base import Model

FORMAT = 4

#: How windows over a recording lie: `overlap`, two thirds of their length apart, their mean
#: counting; `published`, end to end, as in the test of recursive joint attention.
Windows = Literal["overlap", "published"]
#: Seconds of a mean over time around each frame; or frames of the published mean, by dimension.
Smoothing = float | list[int]
TASKS = (CLASSIFICATION, "distribution", VALENCE_AROUSAL, EMBEDDING)
#: What a spec can say: names, seconds of delay, frames of smoothing, values of all streams of a
#: window.
_OUTPUTS, _DELAY, _FRAMES, _WINDOW = 10_000, 600.0, 100_000, 1 << 27
#: The formats of models that are not calibrated, and of those that standardise all people by the
#: corpus alone.
_UNCALIBRATED, _PLAIN = 3, 2


@dataclass
class ModelSpec:
    """Everything about a trained model but its weights.

    Args:
        model: Name in the registry.
        options: Options that it was built with.
        streams: The streams that it reads, by name.
        normalisation: Statistics of these streams, by name.
        shrinkage: Windows of a person that count as much as the corpus, where people are
            standardised by what is known of them (k of `affuse.features.baseline`); None where all
            are standardised by the corpus alone.
        outputs: Names of the classes, or of the dimensions (valence, arousal), in the order of the
            scores.
        task: What it predicts.
        window: Seconds that it sees at a time; None where its streams have a fixed span.
        smoothing: Seconds over which its valence and arousal are averaged, chosen on development
            clips; 0 for none. Or frames per dimension, as published: `Series.smoothed`.
        windows: How its windows over a recording lie, where it gives valence and arousal.
        delay: Seconds by which annotations came later than what they are about, as it learned it:
            its values are moved by as much.
        calibration: What makes its probabilities no surer than they are right, and what it does not
            rule out, by the modalities that are present; None where it was not calibrated.
        training: What it was trained on: data, protocol, fold, seed, licence of the data.
        version: The affuse version that wrote it.
    """

    model: str
    options: dict[str, Any]
    streams: dict[str, StreamSpec]
    normalisation: dict[str, Normalisation]
    outputs: list[str]
    task: str = "classification"
    window: float | None = None
    smoothing: Smoothing = 0.0
    windows: Windows = "overlap"
    delay: float = 0.0
    shrinkage: float | None = None
    calibration: ModelCalibration | None = None
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
        return [self.smoothing[self.outputs.index(name)]]

    @property
    def hop(self) -> float:
        """Greatest distance in seconds between the windows that cover a recording."""
        return self.seconds / 4

    @property
    def baselines(self) -> Baselines | None:
        """What standardises people by what is known of them; None where nothing does."""
        if self.shrinkage is None:
            return None
        return Baselines(self.streams, self.normalisation, self.shrinkage, self.seconds)

    @property
    def format(self) -> int:
        """The earliest format that can say it."""
        if self.calibration is not None:
            return FORMAT
        return _PLAIN if self.shrinkage is None else _UNCALIBRATED

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values; in the earliest format that can say it."""
        told = {
            "format": self.format,
            **vars(self),
            "streams": {name: spec.to_json() for name, spec in self.streams.items()},
            "normalisation": {name: x.to_json() for name, x in self.normalisation.items()},
        }
        if self.shrinkage is None:
            del told["shrinkage"]
        if self.calibration is None:
            del told["calibration"]
        else:
            told["calibration"] = self.calibration.to_json()
        return told

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> ModelSpec:
        """The inverse of `to_json`, of values that a file tells.

        Raises:
            KeyError, TypeError: One of them is missing, or is not known.
            ValueError: One of them cannot be; the message names it.
        """
        value = _migrated(value)
        check_mapping("streams", value["streams"])
        check_mapping("normalisation", value["normalisation"])
        streams = {name: StreamSpec.from_json(x) for name, x in value["streams"].items()}
        statistics = {n: Normalisation.from_json(x) for n, x in value["normalisation"].items()}
        plain = {name: x for name, x in value.items() if name != "format"}
        if plain.get("calibration") is not None:
            plain["calibration"] = ModelCalibration.from_json(plain["calibration"])
        spec = cls(**plain | {"streams": streams, "normalisation": statistics})
        if max(value.get("format", 0), _PLAIN) != spec.format:
            raise ValueError(f"format is {value.get('format')}; what it says is of {spec.format}")
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
            shape = self.streams[name].shape
            sizes = {1, shape[-1], *([math.prod(shape)] if self.shrinkage is not None else [])}
            for part in (statistics.mean, statistics.std):
                if len(part) not in sizes:
                    raise ValueError(
                        f"normalisation of {name} has {len(part)} values; its frames have "
                        f"{shape[-1]}"
                    )
        check_list("outputs", self.outputs, 1, _OUTPUTS)
        for word in self.outputs:
            check_text("outputs", word)
        if len(set(self.outputs)) < len(self.outputs):
            raise ValueError("outputs names one twice")
        check_one_of("task", self.task, TASKS)
        check_one_of("windows", self.windows, get_args(Windows))
        check_number("delay", self.delay, 0, _DELAY)
        if self.shrinkage is not None:
            check_number("shrinkage", self.shrinkage, *SHRINKAGE)
            if missing := self.streams.keys() - self.normalisation.keys():
                raise ValueError(f"normalisation of {short(min(missing))} is missing")
        if self.calibration is not None:
            modalities = {stream.modality for stream in self.streams.values()}
            self.calibration.check(modalities, len(self.outputs))
        if isinstance(self.smoothing, list):
            check_list("smoothing", self.smoothing, len(self.outputs), len(self.outputs))
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
        return create_model(self.model, self.streams, len(self.outputs), **self.options)


def _migrated(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The description of a file of an earlier format in the words of this one."""
    if "classes" in value and "outputs" not in value:  # format 1
        return {"outputs" if name == "classes" else name: x for name, x in value.items()}
    return value


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
