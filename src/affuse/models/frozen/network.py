"""The networks of frozen streams: read once per process, on the GPU where there is one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from affuse.errors import BadInput
from affuse.execution.files import file_digest
from affuse.features.batch import Batch, Normalisation, normalise
from affuse.features.stream import Kind
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec, load_model, read_spec


def device() -> torch.device:
    """Where frozen networks run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def weights_digest(source: Path, *models: str) -> str:
    """What tells the weights of a model file apart: its SHA-256, 64 hexadecimal digits.

    Args:
        source: The file.
        models: Names of the models that it may hold; any by default.

    Raises:
        BadInput: It is no model file, holds another model, or one that is to know speakers.
    """
    spec = read_spec(source)
    if models and spec.model not in models:
        raise BadInput(source, f"holds the model {spec.model}; expected {' or '.join(models)}")
    if spec.shrinkage is not None:
        raise BadInput(
            source, "was trained with normalisation=speaker: a frozen network knows no speakers"
        )
    return file_digest(source)


def weights_recipe(source: Path, digest: str) -> dict[str, str]:
    """What the recipe of a stream says of its weights: their digest, and the terms they are under.

    Args:
        source: The file.
        digest: Of its weights.
    """
    return {"weights": digest, "licence": read_spec(source).training.get("licence", "not stated")}


@lru_cache(maxsize=2)  # a worker process meets the extractor anew with every clip
def frozen_model(source: Path, digest: str) -> tuple[Model, ModelSpec]:
    """The model of a file in evaluation mode, without gradients, on `device()`.

    Args:
        source: The file.
        digest: Of its weights, so that a file that changed is read again.

    Raises:
        BadInput: It cannot be used.
    """
    model, spec = load_model(source)
    return model.requires_grad_(False).to(device()), spec


def as_input(
    values: np.ndarray, mask: np.ndarray, statistics: Normalisation, kind: Kind
) -> tuple[Tensor, Tensor]:
    """Rows of one stream of one clip as a network takes them: (1, T, ...) and (1, T) bool."""
    raw = torch.from_numpy(np.ascontiguousarray(values))[None].to(device())
    there = torch.from_numpy(np.ascontiguousarray(mask))[None].to(device())
    batch = Batch({"stream": raw}, {"stream": there}, kinds={"stream": kind})
    return normalise(batch, {"stream": statistics}).streams["stream"], there
