"""EfficientFace as published: `EfficientFace_Trained_on_AffectNet7.pth.tar` and the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.features.catalogue import stream_spec
from affuse.models.backbones.efficientface import AFFECTNET
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.efficientface.model import EfficientFaceFrames
from affuse.models.systems.renaming import Rules, class_names, prefixed

STREAM = "video/faces224"
AFFECTNET_CLASSES = (
    "neutral",
    "happy",
    "sad",
    "surprise",
    "fear",
    "disgust",
    "anger",
    "contempt",
)

_LOCAL = [
    (f"local.{kind}{k + 1}_{layer + 1}", f"local.quarters.{k}.{3 * layer + offset}")
    for k in range(4)
    for layer in range(2)
    for offset, kind in enumerate(("conv", "bn"))
]
_SPATIAL = [
    (f"modulator.spatial_att.gate_s.gate_s_{published}", f"modulator.spatial.{index}")
    for published, index in (
        ("conv_reduce0", 0),
        ("bn_reduce0", 1),
        ("conv_di_0", 3),
        ("bn_di_0", 4),
        ("conv_di_1", 6),
        ("bn_di_1", 7),
        ("conv_final", 9),
    )
]
_CHANNEL = [
    (f"modulator.channel_att.gate_c.gate_c_{published}", f"modulator.{ours}")
    for published, ours in (("fc_0", "squeeze"), ("bn_1", "norm"), ("fc_final", "excite"))
]
BACKBONE: Rules = [
    ("conv1", "stem"),
    ("conv5", "last"),
    *_LOCAL,
    *_CHANNEL,
    *_SPATIAL,
    *((part, part) for part in ("stage2", "stage3", "stage4", "local", "modulator")),
]


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of EfficientFace alone."""
    return any(name.startswith("modulator.channel_att.") for name in state)


def describe(
    path: Path, state: Mapping[str, Tensor], *, classes: Sequence[str] | None = None
) -> ModelSpec:
    """The spec of EfficientFace trained on AffectNet.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
        classes: Names of the classes; those of AffectNet by default, 7 or 8.

    Raises:
        BadInput: No classifier, or a number of classes without names.
    """
    if "fc.bias" not in state:
        raise BadInput(path, "lacks weights: fc.bias")
    count = len(state["fc.bias"])
    affectnet = AFFECTNET_CLASSES[:count] if count in (7, 8) else None
    return ModelSpec(
        model="efficientface",
        options={},
        streams={STREAM: stream_spec(STREAM)},
        normalisation={STREAM: AFFECTNET},
        outputs=class_names(path, count, classes or affectnet),
        window=3.6,
        training={
            "data": "AffectNet",
            "licence": "AffectNet: research use only",
            "system": "efficientface",
            "checkpoint": path.name,
        },
    )


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not EfficientFace alone."""
    if not isinstance(model, EfficientFaceFrames):
        return None
    return [("fc", "classifier"), *prefixed("", "backbone.", BACKBONE)]
