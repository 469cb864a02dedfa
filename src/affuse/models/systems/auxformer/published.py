"""AuxFormer as published: `final_head.pt`, and the weights of the first release (ICASSP 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.execution.checkpoint_files import read_pickled_arrays
from affuse.features import emoca
from affuse.features.batch import Normalisation
from affuse.features.stream import StreamSpec
from affuse.models.frontends.vectors import Vectors
from affuse.models.frozen.wav2vec2 import Wav2Vec2
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.auxformer.model import AuxFormer, Padding
from affuse.models.systems.renaming import Rules, class_names, prefixed

CREMAD_CLASSES = ("angry", "sad", "disgust", "fear", "neutral", "happy")

#: Seconds of the longest sound that the current release reads; images have no limit there.
WINDOW = 12.0

#: What `train_norm_stat.pkl` and `final_model.pt` are called, beside `final_head.pt`.
_STATISTICS, _WAV2VEC2 = "train_norm_stat.pkl", "final_model.pt"

_ENCODERS = {
    "trans_a_with_v": "audio_from_video",
    "trans_v_with_a": "video_from_audio",
    "trans_a_mem": "audio_memory",
    "trans_v_mem": "video_memory",
    "a_mem": "audio_alone",
    "v_mem": "video_alone",
}
_PROJECTIONS = {"conv_1d_a": "project_audio", "conv_1d_v": "project_video"}
_LAYER: Rules = [
    ("self_attn.in_proj_weight", "attention.qkv.weight"),
    ("self_attn.in_proj_bias", "attention.qkv.bias"),
    ("self_attn.out_proj", "attention.proj"),
    ("layer_norms.0", "norm1"),
    ("layer_norms.1", "norm2"),
    *((name, name) for name in ("fc1", "fc2", "alpha")),
]

_CLASSIFIERS: Rules = [
    ("proj1", "main.0.layers.0"),
    ("proj2.weight", "main.0.layers.1.weight"),
    ("proj2.bias", "main.0.layers.1.bias"),
    # What the published module returns is added to in place, and so holds the sum.
    ("proj2", "main.0"),
    ("out_layer", "main.1"),
    *((f"proj_aux{number + 1}", f"auxiliary.0.layers.{number}") for number in range(3)),
    ("out_layer_aux", "auxiliary.1"),
]

#: Entry that every encoder has and that says nothing -> its value. The second one is memory that
#: nothing has written to: any number, or none.
_WITHOUT_MEANING = {"version": 2.0, "embed_positions._float_tensor": 0.0}


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of either release, or of the wav2vec 2.0 beside the current one."""
    return any(name.startswith("trans_a_with_v.") for name in state) or _is_wav2vec2(state)


def _is_wav2vec2(state: Mapping[str, Tensor]) -> bool:
    return any(name.startswith("feature_extractor.conv_layers.") for name in state)


def clean(path: Path, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries that are weights; the projection, a convolution of width 1, as a matrix.

    Raises:
        BadInput: These are the weights of wav2vec 2.0.
    """
    if _is_wav2vec2(state):
        raise BadInput(
            path, "holds wav2vec 2.0, the sound features of AuxFormer; the model is final_head.pt"
        )
    empty = {f"{encoder}.{entry}" for encoder in _ENCODERS for entry in _WITHOUT_MEANING}
    kept = {name: x for name, x in state.items() if name not in empty}
    for name in (f"{projection}.weight" for projection in _PROJECTIONS):
        if name in kept and kept[name].ndim == 3:
            kept[name] = kept[name].squeeze(2)
    return kept


def complete(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All entries of a published file from those that are weights."""
    convolutions = {f"{projection}.weight" for projection in _PROJECTIONS}
    weights = {n: x.unsqueeze(2) if n in convolutions else x for n, x in state.items()}
    empty = {
        f"{encoder}.{entry}": torch.full((1,), value)
        for encoder in _ENCODERS
        for entry, value in _WITHOUT_MEANING.items()
    }
    return weights | empty


def describe(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    heads: int = 10,
    band: bool = True,
    padding: Padding = "exclude",
    classes: Sequence[str] | None = None,
    statistics: Path | str | None = None,
    wav2vec2: Path | str | None = None,
) -> ModelSpec:
    """The spec of the published model; the projected modality tells the release.

    Args:
        path: The file that messages name.
        state: Published entry -> value, as `clean` leaves them.
        heads: Attention heads, not stored in the checkpoint.
        band: Whether it was trained with the attention mask, which is on unless told otherwise.
        padding: `exclude` is what the published test computes, one clip at a time, whatever batch
            or window it stands in; `published` is what the published training computes of a batch.
        classes: Names of the classes; the six emotions of CREMA-D by default.
        statistics: The `train_norm_stat.pkl` of the current release, statistics of its training
            data; by default the one beside the checkpoint. Without it streams are not normalised.
        wav2vec2: Weights of the wav2vec 2.0 that the sound features come from (`final_model.pt`),
            or their folder; by default the file beside the checkpoint. `predict` and `evaluate`
            refuse features of any other network; without the file, of all.

    Raises:
        BadInput: Weights are missing, a number of classes has no names, or a file cannot be used.
    """
    projected = [name for name in _PROJECTIONS if f"{name}.weight" in state]
    if len(projected) != 1:
        raise BadInput(path, "needs one of the weights conv_1d_a.weight, conv_1d_v.weight")
    needed = (f"{projected[0]}.weight", "out_layer.weight", "a_mem.layer_norm.weight")
    if missing := [name for name in needed if name not in state]:
        raise BadInput(path, f"lacks weights: {', '.join(missing)}")
    projection, scores, norm = (state[name] for name in needed)
    width, count = len(norm), len(scores)
    current = projected[0] == "conv_1d_a"
    measured, network = (None if x is None else Path(x) for x in (statistics, wav2vec2))
    if current:
        measured = measured or _beside(path, _STATISTICS)
        network = network or _beside(path, _WAV2VEC2)
    elif measured or network:
        raise BadInput(
            path, "is of the first release, which has neither statistics nor wav2vec 2.0"
        )
    channels = projection.shape[1]
    audio, video = (
        (_sound(network, channels), replace(emoca.SPEC, shape=(width,)))
        if current
        else (
            StreamSpec("audio/opensmile130", 100.0, (width,)),
            StreamSpec("video/vggface", 30.0, (channels,)),
        )
    )
    cremad = CREMAD_CLASSES if count == len(CREMAD_CLASSES) else None
    return ModelSpec(
        model="auxformer" if current else "auxformer-icassp",
        options=AuxFormer.published_options()
        | {
            "width": width,
            "heads": heads,
            "layers": _layers(state),
            "band": band,
            "padding": padding,
        },
        streams={audio.name: audio, video.name: video},
        normalisation={
            audio.name: Normalisation(),
            video.name: Normalisation() if measured is None else _read(measured, width),
        },
        outputs=class_names(path, count, classes or cremad),
        window=WINDOW,
        training={
            "data": "not told by the weights (CREMA-D or MSP-IMPROV)",
            "licence": "not told by the weights",
            "system": "auxformer",
            "checkpoint": path.name,
            "note": _note(current, measured, network),
        },
    )


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not in its published form."""
    if not isinstance(model, AuxFormer):
        return None
    as_they_are = isinstance(model.audio, Vectors) and isinstance(model.video, Vectors)
    projected = [isinstance(model.get_submodule(x), nn.Linear) for x in _PROJECTIONS.values()]
    if not as_they_are or sum(projected) != 1:
        return None
    encoders = [
        rule
        for published, ours in _ENCODERS.items()
        for number in range(len(model.audio_alone.layers))
        for rule in prefixed(f"{published}.layers.{number}.", f"{ours}.layers.{number}.", _LAYER)
    ]
    return [
        *encoders,
        *((f"{published}.layer_norm", f"{ours}.norm") for published, ours in _ENCODERS.items()),
        *_ENCODERS.items(),
        *_PROJECTIONS.items(),
        *_CLASSIFIERS,
    ]


def _layers(state: Mapping[str, Tensor]) -> int:
    """How many layers an encoder has."""
    return len({name.split(".")[2] for name in state if name.startswith("a_mem.layers.")})


def _beside(path: Path, name: str) -> Path | None:
    file = path.with_name(name)
    return file if file.is_file() else None


def _sound(weights: Path | None, channels: int) -> StreamSpec:
    """The hidden states of a network, or of one that is not known."""
    if weights is None:
        return StreamSpec("audio/wav2vec2", 50.0, (channels,))
    spec = Wav2Vec2(weights).spec
    if spec.shape != (channels,):
        raise BadInput(weights, f"gives {spec.shape[0]} values; the model reads {channels}")
    return spec


def _read(path: Path, codes: int) -> Normalisation:
    """The statistics of the images in a `train_norm_stat.pkl`."""
    held = read_pickled_arrays(path)
    try:
        mean, std = (np.asarray(x, np.float64) for x in held[2:4])
    except (TypeError, ValueError, KeyError) as error:
        raise BadInput(path, "does not hold mean and deviation of sound and images") from error
    if not (mean.shape == std.shape == (codes,) and np.isfinite([mean, std]).all()):
        raise BadInput(path, f"does not hold {codes} means and deviations of the images")
    if (std < 0).any():
        raise BadInput(path, "holds negative deviations of the images")
    return Normalisation(tuple(mean.tolist()), tuple((std + 1e-6).tolist()))  # as published


def _note(current: bool, statistics: Path | None, wav2vec2: Path | None) -> str:
    """What the spec does not know."""
    if not current:
        return "features, their rates and their statistics are not part of the first release"
    given = {_STATISTICS: statistics, _WAV2VEC2: wav2vec2}
    lacking = [name for name, path in given.items() if path is None]
    return f"converted without {' and '.join(lacking)}" if lacking else ""
