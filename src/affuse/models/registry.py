"""Every model by name. Importing this imports no model and no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from affuse.errors import AffuseError
from affuse.models.options import check_options, unknown

if TYPE_CHECKING:
    from affuse.features.stream import StreamSpec
    from affuse.models.base import Model

CLASSIFICATION = "classification"
CHUMACHENKO = "Chumachenko, Iosifidis and Gabbouj, ICPR 2022"


@dataclass(frozen=True)
class ModelEntry:
    """What `list models` says about a model.

    Args:
        target: `module:Class`.
        summary: What it is, in a line.
        modalities: Modalities that it reads.
        task: What it predicts.
        paper: Where it comes from; empty for our own.
        licence: Licence of the reference code; empty where there is none.
    """

    target: str
    summary: str
    modalities: tuple[str, ...] = ("audio", "video")
    task: str = CLASSIFICATION
    paper: str = ""
    licence: str = ""

    def load(self) -> type[Model]:
        """Import the class."""
        module, name = self.target.split(":")
        return getattr(import_module(module), name)


MODELS: dict[str, ModelEntry] = {
    "audio-only": ModelEntry(
        "affuse.models.unimodal:AudioOnly", "one audio stream alone", ("audio",)
    ),
    "video-only": ModelEntry(
        "affuse.models.unimodal:VideoOnly", "one video stream alone", ("video",)
    ),
    "late": ModelEntry(
        "affuse.models.late:LateFusion", "the decisions of both, multiplied (product of experts)"
    ),
    "concat": ModelEntry(
        "affuse.models.concatenation:Concatenation", "pooled features of both, side by side"
    ),
    "chumachenko-lt": ModelEntry(
        "affuse.models.chumachenko:LateTransformer",
        "cross-modal transformer after the branches",
        paper=CHUMACHENKO,
        licence="MIT",
    ),
    "chumachenko-it": ModelEntry(
        "affuse.models.chumachenko:IntermediateTransformer",
        "cross-modal transformer inside the branches",
        paper=CHUMACHENKO,
        licence="MIT",
    ),
    "chumachenko-ia": ModelEntry(
        "affuse.models.chumachenko:IntermediateAttention",
        "frames weighted by the attention of the other modality",
        paper=CHUMACHENKO,
        licence="MIT",
    ),
    "efficientface": ModelEntry(
        "affuse.models.frames:EfficientFaceFrames",
        "a picture classifier on every frame, mean over time",
        ("video",),
        paper="Zhao, Liu and Zhou, AAAI 2021",
        licence="MIT",
    ),
}


def list_models() -> dict[str, ModelEntry]:
    """Every model: name -> entry."""
    return dict(MODELS)


def create_model(
    name: str, streams: Mapping[str, StreamSpec], outputs: int, **options: Any
) -> Model:
    """Build a model with fresh weights.

    Args:
        name: One of `list_models()`.
        streams: The streams that it reads, by name.
        classes: Number of classes.
        options: Keyword-only parameters of its class.

    Raises:
        AffuseError: No such model or option, or a modality without a stream.
    """
    if name not in MODELS:
        raise unknown("model", name, MODELS)
    entry = MODELS[name]
    given = {spec.modality for spec in streams.values()}
    for modality in entry.modalities:
        if modality not in given:
            listed = ", ".join(streams) or "none"
            raise AffuseError(f"model {name} needs a stream of {modality}; given: {listed}")
    build = entry.load()
    check_options(f"model {name}", build, options)
    return build(streams, outputs, **options)
