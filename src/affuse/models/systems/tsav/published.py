"""TSAV as published: `TSAV_Sub4_544k.pth.tar`, on whose features the fusions of Praveen build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.renaming import AFFWILD2, Rules, class_names, prefixed
from affuse.models.systems.tsav.model import TwoStreamAuralVisual

AUDIO_STREAM, VIDEO_STREAM = "audio/logmel64-tsav", "video/aligned112"
NORMALISATION = {
    AUDIO_STREAM: Normalisation((-14.8,), (19.895,)),  # decibels
    VIDEO_STREAM: Normalisation(
        tuple(255 * x for x in (0.43216, 0.394666, 0.37645)),
        tuple(255 * x for x in (0.22803, 0.22145, 0.216989)),
    ),
}
WINDOW = 10.0
#: 8 images at 30 Hz, six apart, up to the middle of the window.
PICTURES = (108, 151, 6)
#: What the linear layer answers after the classes, in this order.
TASKS = {"valence-arousal": 2, "action-units": 8}

_LAYERS = [f"layer{number}" for number in range(1, 5)]


def _units(parts: Rules) -> Rules:
    """The rules of all units of a network, and of its stages."""
    units = [f"{layer}.{number}." for layer in _LAYERS for number in range(2)]
    rules = [rule for unit in units for rule in prefixed(unit, unit, parts)]
    return [*rules, *((layer, layer) for layer in _LAYERS)]


#: Names after `audio_model.resnet.`.
AUDIO: Rules = [
    ("conv1", "stem.0"),
    ("bn1", "stem.1"),
    *_units(
        [
            ("conv1", "residual.0"),
            ("bn1", "residual.1"),
            ("conv2", "residual.3"),
            ("bn2", "residual.4"),
            ("downsample", "shortcut"),
        ]
    ),
]

#: Names after `video_model.r2plus1d.`.
VIDEO: Rules = [
    ("stem", "stem"),
    *_units(
        [
            ("conv1.0.0", "residual.0"),
            ("conv1.0.1", "residual.1"),
            ("conv1.0.3", "residual.3"),
            ("conv1.1", "residual.4"),
            ("conv2.0.0", "residual.6"),
            ("conv2.0.1", "residual.7"),
            ("conv2.0.3", "residual.9"),
            ("conv2.1", "residual.10"),
            ("downsample", "shortcut"),
        ]
    ),
]


def three_channels(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of the video network without those of the fourth channel, the mask of the face.

    Args:
        state: Entry, published or ours, without prefix -> value.

    Returns:
        The same with a first layer for RGB.
    """
    return {**state, "stem.0.weight": state["stem.0.weight"][:, :3].contiguous()}


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of TSAV."""
    parts = {".".join(name.split(".", 2)[:2]) for name in state}
    return {"audio_model.resnet", "video_model.r2plus1d"} <= parts


def describe(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    classes: Sequence[str] | None = None,
    face_mask: float = 1.0,
) -> ModelSpec:
    """The spec of the published model.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
        classes: Names of the classes of expression, not stored in the checkpoint.
        face_mask: What stands for the mask of the face at every pixel: 1 face, 0 none.

    Raises:
        BadInput: No linear layer or first layer of the video network, or no or too few names.
    """
    for entry in (stem := "video_model.r2plus1d.stem.0.weight", "fc.1.bias"):
        if entry not in state:
            raise BadInput(path, f"lacks weights: {entry}")
    values = len(state["fc.1.bias"])
    further = sum(TASKS.values())
    if values <= further:
        raise BadInput(path, f"answers {values} values; expected classes and {further} more")
    return ModelSpec(
        model="tsav",
        options={
            "auxiliary": dict(TASKS),
            "channels": state[stem].shape[1],
            "face_mask": face_mask,
            "pictures": list(PICTURES),
        },
        streams={name: stream_spec(name) for name in (AUDIO_STREAM, VIDEO_STREAM)},
        normalisation=dict(NORMALISATION),
        outputs=class_names(path, values - further, classes),
        window=WINDOW,
        training={
            "data": AFFWILD2["data"],
            "licence": AFFWILD2["licence"] + "; published code: MIT",
            "system": "tsav",
            "checkpoint": path.name,
        },
    )


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None for any other model or other tasks."""
    if not isinstance(model, TwoStreamAuralVisual) or list(model.tasks.items()) != list(
        TASKS.items()
    ):
        return None
    return [
        *prefixed("audio_model.resnet.", "audio.", AUDIO),
        *prefixed("video_model.r2plus1d.", "video.", VIDEO),
        ("fc.1", "classifier"),
    ]
