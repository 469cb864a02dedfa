"""VGGish as published: the weights for PyTorch, and the variables for TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.execution.checkpoint_files import read_checkpoint
from affuse.execution.tensorflow_files import is_tensorflow, read_variables
from affuse.features.batch import Normalisation
from affuse.features.catalogue import stream_spec
from affuse.features.stream import StreamSpec
from affuse.models.backbones.vggish import FEATURES, FRAMES, MELS
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.renaming import Rules, prefixed
from affuse.models.systems.vggish.model import VGGishFeatures

#: One example per frame of the video, as the leader-follower models take them.
EXAMPLES = StreamSpec("audio/logmel64-vggish", 30.0, (FRAMES, MELS))

BACKBONE: Rules = [("features", "features"), ("embeddings", "embeddings")]

#: Layer -> scope of its variables.
_SCOPES = {
    "features.0": "conv1",
    "features.3": "conv2",
    "features.6": "conv3/conv3_1",
    "features.8": "conv3/conv3_2",
    "features.11": "conv4/conv4_1",
    "features.13": "conv4/conv4_2",
    "embeddings.0": "fc1/fc1_1",
    "embeddings.2": "fc1/fc1_2",
    "embeddings.4": "fc2",
}


def read(path: Path) -> tuple[dict[str, Tensor], str]:
    """The entries of a file for PyTorch, or the variables of a checkpoint of TensorFlow.

    Args:
        path: Also what the two files of a checkpoint of format V2 begin with.

    Raises:
        BadInput: The file cannot be read, or has no variables of VGGish.
    """
    if not is_tensorflow(path):
        return read_checkpoint(path), ""
    variables = read_variables(path, "vggish/")
    if not variables:
        raise BadInput(path, "holds no variables of VGGish (vggish/conv1/weights, ...)")
    return {name: torch.from_numpy(x) for name, x in variables.items()}, ""


def from_tensorflow(state: Mapping[str, Any]) -> dict[str, Tensor]:
    """The entries for PyTorch from the variables for TensorFlow.

    Args:
        state: Variable, such as `vggish/conv1/weights`, -> array or tensor. Others than those of
            the layers, which training adds, are left out.

    Returns:
        Entry -> value; the entries of layers without variables are missing.
    """
    entries = {}
    for layer, scope in _SCOPES.items():
        if f"vggish/{scope}/weights" in state:
            weights = torch.as_tensor(state[f"vggish/{scope}/weights"])
            # (height, width, in, out) or (in, out) -> output channels first.
            order = (3, 2, 0, 1) if weights.ndim == 4 else (1, 0)
            entries[f"{layer}.weight"] = weights.permute(order).contiguous()
        if f"vggish/{scope}/biases" in state:
            entries[f"{layer}.bias"] = torch.as_tensor(state[f"vggish/{scope}/biases"])
    return entries


def recognises(state: Mapping[str, Any]) -> bool:
    """Whether these are weights of VGGish, for PyTorch or for TensorFlow."""
    return {"features.0.weight", "embeddings.0.weight"} <= state.keys() or (
        "vggish/conv1/weights" in state
    )


def clean(path: Path, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries for PyTorch.

    Args:
        path: The file that messages name.
        state: Entries for PyTorch, or variables for TensorFlow.
    """
    return from_tensorflow(state) if "vggish/conv1/weights" in state else dict(state)


def describe(path: Path, state: Mapping[str, Tensor]) -> ModelSpec:
    """The spec of VGGish, without the quantisation that its release adds.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
    """
    return ModelSpec(
        model="vggish",
        options={},
        streams={EXAMPLES.name: stream_spec(EXAMPLES.name)},
        normalisation={EXAMPLES.name: Normalisation()},
        outputs=[f"vggish_{index}" for index in range(FEATURES)],
        task="embedding",
        window=10.0,
        training={
            "data": "YouTube-8M",
            "licence": "VGGish: Apache 2.0",
            "system": "vggish",
            "checkpoint": path.name,
        },
    )


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not VGGish alone."""
    return prefixed("", "backbone.", BACKBONE) if isinstance(model, VGGishFeatures) else None
