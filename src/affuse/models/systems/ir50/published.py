"""IR-50 as published, alone (`res50_ir_0.887.pth`) and in the leader-follower models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from affuse.corpora.ferplus import CLASSES as FERPLUS_CLASSES
from affuse.errors import BadInput
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.features.stream import StreamSpec
from affuse.models.backbones.ir50 import SIZE, STAGES
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.ir50.model import IR50Frames
from affuse.models.systems.renaming import Rules, class_names, prefixed

#: The images that the models of Zhang et al. see, at the video's own rate; IR-50 alone looks at
#: single ones, at whatever rate.
FACES = StreamSpec(f"video/faces{SIZE}", 30.0, (SIZE, SIZE, 3), "uint8")
#: Levels of 0..255 to [-1, 1].
NORMALISATION = Normalisation(mean=(127.5,), std=(127.5,))

#: Names after `backbone.` in the file of the network alone, after `spatial.` in the models.
BACKBONE: Rules = [
    ("input_layer", "stem"),
    ("output_layer.4", "norm"),
    ("output_layer", "head"),
    *(
        (f"body.{unit}.{published}", f"body.{unit}.{ours}")
        for unit in range(sum(units for _, units in STAGES))
        for published, ours in (("res_layer", "residual"), ("shortcut_layer", "shortcut"))
    ),
]


def has_gates(state: Mapping[str, Tensor], prefix: str) -> bool:
    """Whether the network whose entries have this prefix is the variant IR-SE-50."""
    return f"{prefix}body.0.res_layer.5.fc1.weight" in state


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of IR-50 alone."""
    return "backbone.input_layer.0.weight" in state


def describe(
    path: Path, state: Mapping[str, Tensor], *, classes: Sequence[str] | None = None
) -> ModelSpec:
    """The spec of IR-50 trained on the eight emotions of FER+.

    The order of the published scores is not documented: it is taken to be that of the columns of
    FER+, and `classes` says otherwise.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
        classes: Names of the classes; those of FER+ by default.

    Raises:
        BadInput: No classifier, or a number of classes without names.
    """
    if "logits.bias" not in state:
        raise BadInput(path, "lacks weights: logits.bias")
    count = len(state["logits.bias"])
    ferplus = FERPLUS_CLASSES if count == len(FERPLUS_CLASSES) else None
    return ModelSpec(
        model="ir50",
        options={"squeeze_excitation": has_gates(state, "backbone.")},
        streams={FACES.name: stream_spec(FACES.name)},
        normalisation={FACES.name: NORMALISATION},
        outputs=class_names(path, count, classes or ferplus),
        window=3.6,
        training={
            "data": "FER+",
            "licence": "FER+: labels MIT, images for research use only",
            "system": "ir50",
            "checkpoint": path.name,
        },
    )


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not IR-50 alone."""
    if not isinstance(model, IR50Frames):
        return None
    return [("logits", "classifier"), *prefixed("backbone.", "backbone.", BACKBONE)]
