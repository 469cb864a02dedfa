"""Joint attention (Praveen et al.) as published: what training writes, `cam_model.pt` and the like.

Three systems, told apart by their entries: recursive joint attention (ICASSP 2023), joint
cross-attention (IEEE TBIOM 2023), and the file with the paper's formula that came with both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.features.catalogue import create_extractor, is_stream
from affuse.features.pictures import RATE
from affuse.features.sequences import CLIP_FRAMES
from affuse.features.stream import StreamSpec
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.renaming import AFFWILD2, NO_LICENCE, Rules, class_names, prefixed
from affuse.models.systems.rjca.model import RecursiveJointAttention, SequenceModel
from affuse.models.systems.rjca.paper import PaperJointAttention
from affuse.models.systems.rjca.windows import FRAMES

AUDIO = StreamSpec("audio/tsav-published", RATE, (512,))
MAPS = StreamSpec("video/tsav-published", RATE, (512, 7, 7), "float16")
#: The mean of the maps, which the file with the formula reads.
VECTORS = StreamSpec("video/tsav-pooled", RATE, (512,))
DIMENSIONS = ("valence", "arousal")

#: What the model holds for steps without a modality: no entries of a published file.
ABSENT: Rules = [("absent_audio", "absent_audio"), ("absent_video", "absent_video")]
_FORMULA = "W_ca.weight"
_LAYER = re.compile(r"coattn\.dcn_layers\.(\d+)\.")
#: Entry that says how many steps a sequence has.
_STEPS = "coattn.dcn_layers.0.dense_coattn.key1_linear.weight"


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of one of the three systems."""
    return _FORMULA in state or any(_LAYER.match(name) for name in state)


def describe(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    classes: Sequence[str] | None = None,
    tsav: Path | str | None = None,
    stride: int = CLIP_FRAMES,
) -> ModelSpec:
    """The spec of the published model.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
        classes: Names of the two dimensions; valence and arousal by default.
        tsav: Model file of TSAV, whose features the model reads. `predict` refuses features of
            any other network; without it, of all. With it, steps without sound or images are
            what TSAV makes of silence and black images, as published; without it they are
            masked.
        stride: Frames of 30 Hz from step to step: 32 as published, so that the clips of a sequence
            lie end to end.

    Raises:
        BadInput: Entries that tell the form of the model are missing, a wrong number of names, or
            a file that is no model file of TSAV.
    """
    if _FORMULA in state:
        name, video = "rjca-paper", VECTORS
        steps, encoder, units = _sizes(path, state, "affine_a.weight", "encoder1.weight", _FORMULA)
        options = PaperJointAttention.published_options()
        options |= {"width": encoder, "units": units}
    else:
        recurrent = any(entry.startswith(("audio_extract.", "video_extract.")) for entry in state)
        name, video = "rjca" if recurrent else "jca", MAPS
        (steps,) = _sizes(path, state, _STEPS)
        numbers = {int(match[1]) for match in map(_LAYER.match, state) if match}
        options = RecursiveJointAttention.published_options() | {"layers": len(numbers)}
    if tsav is not None:
        options |= {"absent": "published"}
    return ModelSpec(
        model=name,
        options=options | {"sequence": steps, "stride": stride},
        streams={spec.name: _spec(spec, tsav) for spec in (AUDIO, video)},
        normalisation={},
        outputs=class_names(path, len(DIMENSIONS), classes or DIMENSIONS),
        task="valence-arousal",
        window=steps * stride / RATE,
        windows="published",
        smoothing=list(FRAMES.values()),
        training={
            "data": AFFWILD2["data"],
            "licence": AFFWILD2["licence"] + NO_LICENCE,
            "system": "rjca",
            "checkpoint": path.name,
        },
    )


def additions(state: Mapping[str, Tensor], **options: Any) -> dict[str, Tensor]:
    """What a published file does not hold and the model does: see `SequenceModel.absent`.

    Args:
        state: Published entry -> value.
        options: Those of `describe`.
    """
    if options.get("tsav") is None:
        return {}
    from affuse.models.frozen.tsav import of_nothing

    sound, maps = of_nothing(Path(options["tsav"]))
    seen = maps.mean((1, 2)) if _FORMULA in state else maps
    return {"absent_audio": sound, "absent_video": seen}


def complete(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a published file."""
    return {name: x for name, x in state.items() if (name, name) not in ABSENT}


def _spec(spec: StreamSpec, tsav: Path | str | None) -> StreamSpec:
    """A stream with its recipe, where the weights that decide it are given."""
    if tsav is None or not is_stream(spec.name):
        return spec
    return create_extractor(spec.name, Path(tsav)).spec


def _sizes(path: Path, state: Mapping[str, Tensor], *entries: str) -> list[int]:
    """The first axis of entries."""
    for entry in entries:
        if entry not in state:
            raise BadInput(path, f"lacks weights: {entry}")
    return [len(state[entry]) for entry in entries]


REGRESSORS = ("vregressor", "aregressor")

#: Names of a BLSTM block.
RECURRENT: Rules = [("init_hidden", "initial"), ("rnn", "lstm"), ("linear", "linear")]

#: Names of a co-attention layer.
LAYER: Rules = [
    ("dense_coattn.query_linear", "affinity.query"),
    ("dense_coattn.key1_linear", "affinity.video_key"),
    ("dense_coattn.key2_linear", "affinity.audio_key"),
    ("dense_coattn.value1_linear", "affinity.video_value"),
    ("dense_coattn.value2_linear", "affinity.audio_value"),
    ("dense_coattn", "affinity"),
    ("linears.0.0", "video_out"),
    ("linears.1.0", "audio_out"),
]

SPATIAL: Rules = [
    ("affine_video", "video"),
    ("affine_audio", "audio"),
    ("affine_v", "video_units"),
    ("affine_g", "audio_units"),
    ("affine_h", "score"),
    ("affine_feat", "out"),
]

#: Names of the formula's matrices, before the letter of the modality.
FORMULA: Rules = [("affine_", "joint"), ("W_", "own"), ("W_c", "correlation"), ("W_h", "out")]


def coattention(layers: int) -> Rules:
    """The rules of so many co-attention layers."""
    return [
        rule
        for number in range(layers)
        for rule in prefixed(f"dcn_layers.{number}.", f"layers.{number}.", LAYER)
    ]


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not in a published form."""
    if not isinstance(model, SequenceModel) or not model.plain:
        return None
    if isinstance(model, RecursiveJointAttention):
        return _released(model)
    if isinstance(model, PaperJointAttention):
        return _formula(model)
    return None


def _regressors(last: int) -> Rules:
    """The regressors, whose second linear layer has this number."""
    return [
        rule
        for index, name in enumerate(REGRESSORS)
        for rule in prefixed(
            f"{name}.", f"regressors.nets.{index}.", [("0", "0"), (str(last), "3")]
        )
    ]


def _released(model: RecursiveJointAttention) -> Rules | None:
    if model.spatial is None or model.spatial.spatial != "published":
        return None
    if isinstance(model.audio_projection, nn.Linear):
        return None
    blocks = {"Joint": "joint"}
    if model.recurrent:
        blocks |= {f"{modality}_extract": f"unimodal.{modality}" for modality in ("audio", "video")}
    return [
        *ABSENT,
        *(rule for name, ours in blocks.items() for rule in _block(name, ours, RECURRENT)),
        *_block("video_attn", "spatial", prefixed("attn.", "", SPATIAL)),
        *_block("coattn", "coattention", coattention(len(model.coattention.layers))),
        *_regressors(3),
    ]


def _block(published: str, ours: str, inner: Rules) -> Rules:
    """The rules of a part and, after them, of what is left of it."""
    return [*prefixed(f"{published}.", f"{ours}.", inner), (published, ours)]


def _formula(model: PaperJointAttention) -> Rules | None:
    projections = model.audio_projection, model.video_projection
    if not all(isinstance(part, nn.Linear) for part in projections):
        return None
    if model.unimodal or model.recursions > 1 or model.readout == "attended":
        return None
    if any(True for _ in model.video.parameters()):
        return None
    return [
        *ABSENT,
        ("encoder1", "audio_projection"),
        ("encoder2", "video_projection"),
        *(
            (f"{name}{modality[0]}", f"attention.{modality}.{ours}")
            for modality in ("audio", "video")
            for name, ours in FORMULA
        ),
        *_regressors(2),
    ]
