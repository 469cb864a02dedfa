"""Leader-follower attentive fusion as published: `model_state_dict.pth` of one run.

A file holds the model with or without followers, for one dimension or two, with the image network
or, for features computed before, without it. `checkpoint.pkl`, the trainer of the run, holds the
same weights; `mean_std_dict.pkl`, beside the data, holds the statistics of the followers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.execution.checkpoint_files import read_checkpoint, read_pickled_arrays
from affuse.execution.trainer_files import is_trainer, read_trainer
from affuse.features.batch import Normalisation
from affuse.features.catalogue import create_extractor, stream_spec
from affuse.features.pictures import RATE
from affuse.features.stream import StreamSpec
from affuse.models.backbones.ir50 import FEATURES as VIDEO_FEATURES
from affuse.models.backbones.vggish import FEATURES as AUDIO_FEATURES
from affuse.models.frontends.images import IR50Vectors
from affuse.models.frontends.vectors import Vectors
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.ir50.published import BACKBONE, NORMALISATION, has_gates
from affuse.models.systems.leader_follower.model import (
    FOLLOWER,
    KERNEL,
    LEADER,
    LeaderFollower,
    LeaderVisual,
)
from affuse.models.systems.renaming import AFFWILD2, NO_LICENCE, Rules, prefixed

#: Images as they are stored; the network sees the middle 40 x 40 of them.
PICTURES = StreamSpec("video/aligned48-published", RATE, (48, 48, 3), "uint8")
EMBEDDING = StreamSpec("video/ir50", RATE, (VIDEO_FEATURES,))
FOLLOWERS = (
    StreamSpec("audio/vggish-published", RATE, (AUDIO_FEATURES,)),
    StreamSpec("audio/mfcc39-published", RATE, (39,)),
)

#: What the published statistics call the followers, and the sets that they are of.
_FEATURES = ("vggish", "mfcc")
Partition = Literal["Train_Set", "Validation_Set", "Target_Set"]

#: The second name of a convolution -> the first.
_ALIASES = {"net.0": "conv1", "net.4": "conv2"}
_ALIAS = re.compile(r"^(temporal\d?\.network\.\d+\.)(net\.[04])(?=\.)")
#: Normalisations that have no effect.
_DEAD = ("gn1", "gn2")
#: What later versions of PyTorch call the parts of a normalised weight -> the published name.
_PARTS = {
    ".parametrizations.weight.original0": ".weight_g",
    ".parametrizations.weight.original1": ".weight_v",
}
_CONVOLUTION = re.compile(r"^(temporal\d?\.network\.\d+\.)(conv[12])(?=\.)")


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The weights in a state dict, or in the pickle of a trainer, and where in it they were."""
    if is_trainer(path):
        return read_trainer(path, recognises)
    return read_checkpoint(path), ""


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of a leader-follower model."""
    return any(_published(name) == "temporal.network.0.conv1.weight_v" for name in state)


def clean(path: Path, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries, each once and as published: convolutions are listed under two names.

    Args:
        path: The file that messages name.
        state: Published entry -> value.

    Raises:
        BadInput: The two names of an entry have different values.
    """
    cleaned: dict[str, Tensor] = {}
    for name, x in state.items():
        first = _ALIAS.sub(lambda match: match[1] + _ALIASES[match[2]], _published(name))
        if first in cleaned and not torch.equal(cleaned[first], x):
            raise BadInput(path, f"has another value for {name} than for {first}")
        cleaned.setdefault(first, x)
    return cleaned


def _published(name: str) -> str:
    """The published name of an entry that a later PyTorch may have written."""
    for later, part in _PARTS.items():
        name = name.replace(later, part)
    return name


def complete(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries with those that are listed under a second name, and those without effect.

    Args:
        state: Published entry -> value; group normalisations that it lacks are as they begin.
    """
    seconds = {first: second for second, first in _ALIASES.items()}
    if "encoder1.weight" in state:
        begin = {"weight": torch.ones(32), "bias": torch.zeros(32)}
        dead = {f"{norm}.{part}": x.clone() for norm in _DEAD for part, x in begin.items()}
        state = {**dead, **state}
    aliases = {
        _CONVOLUTION.sub(lambda match: match[1] + seconds[match[2]], name): x
        for name, x in state.items()
    }
    return {**state, **aliases}


def describe(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    classes: Sequence[str] | None = None,
    vggish: Path | str | None = None,
    backbone: Path | str | None = None,
    statistics: Path | str | None = None,
    fold: int | None = None,
    partition: Partition | None = None,
) -> ModelSpec:
    """The spec of the published model.

    Streams are at 30 Hz; published is the rate of each video, not stored in the checkpoint. The
    followers were normalised with one mean and one deviation per stream, fold and set, which a
    checkpoint does not hold either.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
        classes: `["valence"]` or `["arousal"]` for a model of one dimension.
        vggish: Model file of VGGish, whose features a model with followers reads. `predict` refuses
            features of any other network; without it, of all.
        backbone: Model file of IR-50, the same for a model without its own image network.
        statistics: The `mean_std_dict.pkl` of the data that the model learned from. Without it
            followers are not normalised, and the values are not those of the published system.
        fold: Of the statistics, 0 by default.
        partition: Set of the statistics. `Train_Set`, the default, is what the weights were fitted
            to and the one that suits any recording; the published code judges every set with its
            own statistics.

    Raises:
        BadInput: No last layer, one of one dimension without its name, or a file that cannot be
            used or has nothing to do with the model.
    """
    if "regressor.bias" not in state:
        raise BadInput(path, "lacks weights: regressor.bias")
    count = len(state["regressor.bias"])
    names = list(classes or ("valence", "arousal"))
    known = [["valence"], ["arousal"]] if count == 1 else [["valence", "arousal"]]
    if len(names) != count or names not in known:
        choices = " or ".join(",".join(choice) for choice in known)
        raise BadInput(path, f"predicts {count} values per frame; say classes={choices}")
    followed, full = "encoder1.weight" in state, "spatial.input_layer.0.weight" in state
    options: dict[str, Any] = (LeaderFollower if followed else LeaderVisual).published_options()
    options |= _sizes(path, state)
    if full and backbone:
        raise BadInput(path, "has its own IR-50; leave backbone= out")
    if not followed and (given := "vggish" if vggish else "statistics" if statistics else ""):
        raise BadInput(path, f"has no followers; leave {given}= out")
    if statistics is None and (fold is not None or partition is not None):
        told = "partition" if fold is None else "fold"
        raise BadInput(path, f"{told}= chooses among statistics; say statistics=mean_std_dict.pkl")
    leader, seen = _features(EMBEDDING, backbone), Normalisation()
    options["video"] = "vectors"
    if full:
        leader, seen = stream_spec(PICTURES.name), NORMALISATION
        options["video"] = {"name": "ir50", "squeeze_excitation": has_gates(state, "spatial.")}
    sound, cepstra = FOLLOWERS
    followers = {}
    if followed:
        followers[sound.name] = _features(sound, vggish)
        followers[cepstra.name] = stream_spec(cepstra.name)
    training = {
        "data": AFFWILD2["data"],
        "licence": AFFWILD2["licence"] + NO_LICENCE,
        "system": "leader-follower",
        "checkpoint": path.name,
    }
    heard = [Normalisation()] * len(followers)
    if statistics is not None:
        fold, partition = fold or 0, partition or "Train_Set"
        heard = _read_statistics(Path(statistics), fold, partition)
        training["statistics"] = f"{Path(statistics).name}, fold {fold}, {partition}"
    elif followed:
        training["normalisation"] = (
            "the published statistics of VGGish and the MFCCs (mean_std_dict.pkl) are not in the "
            "checkpoint: these streams must arrive normalised"
        )
    return ModelSpec(
        model="leader-follower" if followed else "leader-follower-visual",
        options=options,
        streams={leader.name: leader, **followers},
        normalisation={leader.name: seen, **dict(zip(followers, heard, strict=True))},
        outputs=names,
        task="valence-arousal",
        window=10.0,
        training=training,
    )


def _sizes(path: Path, state: Mapping[str, Tensor]) -> dict[str, Any]:
    """The leader's channels and the kernel, where they are not the usual ones."""
    names = (f"temporal.network.{block}.conv1.weight_v" for block in itertools.count())
    weights = [state[name] for name in itertools.takewhile(state.__contains__, names)]
    channels = [len(x) for x in weights]
    if channels[-1] != LEADER[-1]:
        raise BadInput(path, f"its last layer reads {LEADER[-1]} channels, which temporal lacks")
    found = {"channels": channels, "kernel": weights[0].shape[-1]}
    usual = {"channels": [*LEADER], "kernel": KERNEL}
    return {key: value for key, value in found.items() if value != usual[key]}


def _features(spec: StreamSpec, weights: Path | str | None) -> StreamSpec:
    """A stream with its recipe, where the weights that decide it are given."""
    return spec if weights is None else create_extractor(spec.name, Path(weights)).spec


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not in its published form."""
    if not isinstance(model, LeaderFollower | LeaderVisual):
        return None
    frontend = model.video.frontend
    if not isinstance(frontend, IR50Vectors | Vectors) or model.outputs > 2:
        return None
    if model.video.channels[-1] != LEADER[-1]:  # the published heads are made for these
        return None
    spatial = [
        *prefixed("spatial.", "video.frontend.stage1.net.", BACKBONE),
        ("spatial", "video.frontend.stage1.net"),
    ]
    if isinstance(model, LeaderVisual):
        network = _network("temporal", "video", model)
        return [*spatial, *network, ("regressor", "classifier")]
    if not model.attention.chained or len(model.followers) != len(FOLLOWERS):
        return None
    if not all(isinstance(track.frontend, Vectors) for track in model.followers):
        return None
    if any(track.channels != FOLLOWER for track in model.followers):
        return None
    tracks = ("video", *(f"followers.{index}" for index in range(len(model.followers))))
    return [
        *spatial,
        *(
            rule
            for index, track in enumerate(tracks)
            for rule in _network(f"temporal{index or ''}", track, model)
        ),
        *(
            (f"encoder{letter}{index + 1}", f"attention.{part}.{index}")
            for letter, part in (("", "keys"), ("Q", "queries"), ("V", "values"))
            for index in range(len(tracks))
        ),
        *((norm, f"dead.{norm}") for norm in _DEAD),
        ("ln", "attention.norm"),
        ("regressor", "classifier"),
    ]


def _network(published: str, track: str, model: nn.Module) -> Rules:
    """The rules of one causal network."""
    blocks = [
        (f"{published}.network.{index}", f"{track}.temporal.blocks.{index}")
        for index in range(len([*model.get_submodule(f"{track}.temporal.blocks").children()]))
    ]
    block: Rules = [
        *(
            (f".{conv}.weight_{letter}", f".{conv}.parametrizations.weight.original{index}")
            for conv in ("conv1", "conv2")
            for index, letter in enumerate("gv")
        ),
        (".downsample", ".shortcut"),
        ("", ""),
    ]
    return [
        *(rule for theirs, ours in blocks for rule in prefixed(theirs, ours, block)),
        (published, f"{track}.temporal"),
    ]


def _read_statistics(path: Path, fold: int, partition: str) -> list[Normalisation]:
    """The statistics of the followers in a `mean_std_dict.pkl`."""
    if partition not in get_args(Partition):
        known = ", ".join(get_args(Partition))
        raise BadInput(path, f"partition={partition}: there are {known}")
    held = read_pickled_arrays(path)
    found = []
    for feature in _FEATURES:
        values = held
        for key in (feature, fold, partition):
            if not isinstance(values, Mapping) or key not in values:
                raise BadInput(path, f"holds no statistics of {feature}, fold {fold}, {partition}")
            values = values[key]
        try:
            mean, std = (float(np.asarray(values[name]).item()) for name in ("mean", "std"))
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(path, f"holds no mean and std of {feature}, fold {fold}") from error
        if not (np.isfinite([mean, std]).all() and std > 0):
            raise BadInput(path, f"holds mean {mean:g} and std {std:g} of {feature}, fold {fold}")
        found.append(Normalisation((mean,), (std,)))
    return found
