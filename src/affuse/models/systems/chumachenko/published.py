"""Chumachenko et al. (2022) as published: `lt_1head_moddrop_2.pth` and what training writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.media.published_faces import REFERENCE_WINDOW
from affuse.models.frontends.images import EfficientFaceConv
from affuse.models.frontends.sound import MFCCConv
from affuse.models.modelfile import ModelSpec
from affuse.models.registry import MODELS
from affuse.models.systems.chumachenko.model import (
    Chumachenko,
    IntermediateAttention,
    IntermediateTransformer,
    LateTransformer,
)
from affuse.models.systems.efficientface.published import BACKBONE
from affuse.models.systems.renaming import Rules, class_names, prefixed

AUDIO, VIDEO = "audio/mfcc10-published", "video/faces224-published"
#: Images per clip unless told otherwise.
PICTURES = 15
#: As the released training code names its files: data, model, images per clip, fold.
_NAME = re.compile(r"_(\d+)_(?:best|checkpoint)\d*\.pth")
RAVDESS_CLASSES = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
)

#: Entry that only one of the variants has -> variant.
_VARIANTS = {
    "av.attn.q.weight": "chumachenko-lt",
    "av1.attn.q.weight": "chumachenko-it",
    "av1.q.weight": "chumachenko-ia",
}

_BUILDS = (LateTransformer, IntermediateTransformer, IntermediateAttention)


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of one of the three variants."""
    branches = {name.split(".", 1)[0] for name in state}
    return {"audio_model", "visual_model"} <= branches and "finalAttention" not in branches


def describe(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    heads: int = 1,
    classes: Sequence[str] | None = None,
    sample_duration: int | None = None,
) -> ModelSpec:
    """The spec of the published model.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
        heads: Attention heads, not stored in the checkpoint; 1 or 4 in the paper.
        classes: Names of the classes; the eight emotions of RAVDESS by default.
        sample_duration: Images of a clip, not stored in the checkpoint either; by default what
            a name such as `RAVDESS_multimodalcnn_15_best0.pth` says, or else 15.

    Raises:
        BadInput: No fusion or classifier, a number of classes without names, or another number of
            images than in the name of the file.
    """
    variants = [variant for entry, variant in _VARIANTS.items() if entry in state]
    if len(variants) != 1:
        raise BadInput(path, f"needs one of the weights {', '.join(_VARIANTS)}")
    if "classifier_1.0.bias" not in state:
        raise BadInput(path, "lacks weights: classifier_1.0.bias")
    count = len(state["classifier_1.0.bias"])
    ravdess = RAVDESS_CLASSES if count == len(RAVDESS_CLASSES) else None
    build = MODELS[variants[0]].load()
    assert issubclass(build, Chumachenko)
    frames, note = _pictures(path, sample_duration)
    video = VIDEO if frames == PICTURES else f"{VIDEO}-{frames}"
    return ModelSpec(
        model=variants[0],
        options=build.published_options() | {"heads": heads},
        streams={name: stream_spec(name) for name in (AUDIO, video)},
        normalisation={AUDIO: Normalisation(), video: Normalisation(std=(255.0,))},
        outputs=class_names(path, count, classes or ravdess),
        training={
            "data": "RAVDESS",
            "licence": "RAVDESS: CC BY-NC-SA 4.0",
            "system": "chumachenko",
            "checkpoint": path.name,
            "split": "the released weights: ravdess/chumachenko; trained by the released code as "
            "it is: ravdess/chumachenko-code",
            **note,
        },
    )


def _pictures(path: Path, given: int | None) -> tuple[int, dict[str, str]]:
    """Images per clip, and a note where nothing tells their number."""
    named = _NAME.search(path.name)
    told = int(named[1]) if named else None
    if given is None and told is None:
        note = f"taken to be trained on {PICTURES} images per clip; say sample_duration= if not"
        return PICTURES, {"note": note}
    frames = told if given is None else given
    if not isinstance(frames, int) or not 1 <= frames <= REFERENCE_WINDOW:
        raise BadInput(
            path, f"sample_duration={frames}: expected 1 to {REFERENCE_WINDOW} images per clip"
        )
    if told not in (None, frames):
        raise BadInput(path, f"is named after {told} images per clip, not {frames}")
    return frames, {}


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not in its published form."""
    return branch_rules(model) if type(model) in _BUILDS else None


def branch_rules(model: nn.Module) -> Rules | None:
    """The rules of what AVT-CA has too: branches, fusion between the stages, classifier."""
    if not isinstance(model, Chumachenko) or not model.dead:
        return None
    if not (isinstance(model.audio, MFCCConv) and isinstance(model.video, EfficientFaceConv)):
        return None
    if isinstance(model, LateTransformer) and model.to_audio.query_residual:
        return None
    if isinstance(model, IntermediateAttention) and model.normalise_weights:
        return None
    last = "" if isinstance(model, LateTransformer) else "1"
    audio, video = (
        [
            rule
            for block in range(4)
            for rule in prefixed(
                f"{branch}.conv1d_{block}",
                f"{stages[block // 2]}.blocks.{block % 2}",
                [(".0", ".conv"), (".1", ".norm"), ("", "")],
            )
        ]
        for branch, stages in (
            ("audio_model", ("audio.stage1", "audio.stage2")),
            ("visual_model", ("video.stage1.temporal", "video.stage2")),
        )
    )
    return [
        *audio,
        *video,
        ("audio_model.classifier_1.0", "dead.audio_classifier"),
        ("visual_model.classifier_1.0", "dead.video_classifier"),
        *prefixed("visual_model.", "video.stage1.net.", BACKBONE),
        (f"av{last}", "to_audio"),
        (f"va{last}", "to_video"),
        ("classifier_1.0", "classifier"),
    ]
