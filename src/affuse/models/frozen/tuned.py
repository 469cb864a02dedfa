"""Layers of a frozen encoder that a model goes on training."""

from __future__ import annotations

import hashlib
from pathlib import Path

from torch import nn

from affuse.errors import BadInput
from affuse.models.frontends.sound import Layers
from affuse.models.frozen.whisper import Whisper


def tuned_frontends(model: nn.Module) -> list[Layers]:
    """The front-ends of a model that train layers of an encoder."""
    return [x for x in model.modules() if isinstance(x, Layers) and len(x.tuned)]


def load_tuned(frontends: list[Layers], path: Path) -> None:
    """Start such layers from those of the encoder that their stream was computed with.

    Args:
        frontends: Of a model.
        path: File or folder of the encoder's weights, as `prepare --source` takes it.

    Raises:
        BadInput: It holds another encoder, or fewer layers.
    """
    file = Whisper.file(path)
    for frontend in frontends:
        spec, layers = frontend.spec, frontend.tuned
        below = spec.shape[0] - 1
        content = Whisper.load(file, below).content
        if hashlib.sha256(content).hexdigest() != spec.recipe.get("weights"):
            raise BadInput(
                path,
                f"is not what {spec.name} was computed with; tuned needs these weights, and a "
                "stream that ends with the layer before, such as audio/whisper-base-layers2",
            )
        network = Whisper.load(file, below + len(layers)).network
        assert isinstance(network, nn.Module)
        layers.load_state_dict(
            nn.ModuleList(list(network.get_submodule("layers").children())[below:]).state_dict()
        )
