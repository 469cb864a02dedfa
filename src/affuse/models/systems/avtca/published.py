"""AVT-CA as published: `model.pth` (a bare state dict) and the checkpoints of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor, nn

from affuse.errors import BadInput
from affuse.models.modelfile import ModelSpec
from affuse.models.systems.avtca.model import AVTCA
from affuse.models.systems.chumachenko import published as chumachenko
from affuse.models.systems.renaming import Rules

_LAST: Rules = [
    ("finalAttention.in_proj_weight", "last.qkv.weight"),
    ("finalAttention.in_proj_bias", "last.qkv.bias"),
    ("finalAttention.out_proj", "last.proj"),
    ("finalAttention", "last"),
]


def recognises(state: Mapping[str, Tensor]) -> bool:
    """Whether these are weights of AVT-CA, with whatever fusion."""
    return "finalAttention.in_proj_weight" in state and "classifier_1.0.bias" in state


def describe(
    path: Path,
    state: Mapping[str, Tensor],
    *,
    classes: Sequence[str] | None = None,
    sample_duration: int | None = None,
) -> ModelSpec:
    """The spec of the published model; its eight heads are wired in.

    Args:
        path: The file that messages name.
        state: Published entry -> value.
        classes: Names of the classes; the eight emotions of RAVDESS by default.
        sample_duration: Images of a clip, as for `chumachenko`.

    Raises:
        BadInput: Another fusion than `it`, or a number of classes without names.
    """
    spec = chumachenko.describe(
        path, state, heads=8, classes=classes, sample_duration=sample_duration
    )
    if spec.model != "chumachenko-it":
        raise BadInput(
            path,
            f"was trained with --fusion {spec.model[-2:]}, where finalAttention is not used: "
            f"without these four entries it is a checkpoint of chumachenko with heads=8",
        )
    spec.model = "avtca"
    spec.training["system"] = "avtca"
    spec.training["split"] = "trained by the released code as it is: ravdess/chumachenko-code"
    return spec


def rules(model: nn.Module) -> Rules | None:
    """Published and our prefixes; None where the model is not in its published form."""
    shared = chumachenko.branch_rules(model) if isinstance(model, AVTCA) else None
    return None if shared is None else [*_LAST, *shared]
