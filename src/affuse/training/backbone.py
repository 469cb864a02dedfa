"""Pretrained networks within a model, which the recipe's `backbone` gives their weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from affuse.errors import AffuseError
from affuse.models.backbones.efficientface import EfficientFace
from affuse.models.backbones.ir50 import IR50
from affuse.models.backbones.vggish import VGGish
from affuse.models.checkpoints import load_backbone
from affuse.models.frozen.tuned import load_tuned, tuned_frontends
from affuse.models.frozen.whisper import Whisper
from affuse.models.modelfile import read_spec
from affuse.training.recipe import Recipe


def give_backbone(model: nn.Module, recipe: Recipe) -> None:
    """Start the pretrained parts of a fresh model from the weights of `backbone`, if there are any.

    Raises:
        BadInput: The file is no such network, or of another variant.
        AffuseError: The model has no such part; or it trains layers of an encoder whose input is
            not as the encoder gave it.
    """
    tuned = tuned_frontends(model)
    if tuned and recipe.normalisation != "published":
        raise AffuseError("tuned layers read their stream as it is: set normalisation=published")
    if recipe.backbone and tuned:
        load_tuned(tuned, Path(recipe.backbone))
    elif recipe.backbone:
        load_backbone(model, Path(recipe.backbone))


def check_tuned(model: nn.Module, recipe: Recipe, fresh: Sequence[str]) -> None:
    """Refuse tuned layers that nobody gives weights to.

    Args:
        model: Before training.
        recipe: That it is trained by.
        fresh: Parts of it that neither `init` nor `resume_path` gives; "" stands for all.

    Raises:
        AffuseError: `backbone` does not give them either.
    """
    if recipe.backbone:
        return
    names = {module: name for name, module in model.named_modules()}
    for frontend in tuned_frontends(model):
        own = names[frontend.tuned]
        if any(
            not part or f"{part}.".startswith(f"{own}.") or f"{own}.".startswith(f"{part}.")
            for part in fresh
        ):
            raise AffuseError(
                "tuned layers begin as published: set backbone to the weights that "
                f"{frontend.spec.name} was prepared with"
            )


def backbone_terms(model: nn.Module, recipe: Recipe) -> list[str]:
    """The terms of the weights of `backbone`; none where there is no such file."""
    if not recipe.backbone:
        return []
    path = Path(recipe.backbone)
    if tuned_frontends(model):
        told = Whisper.licence
    else:
        told = read_spec(path).training.get("licence", "not stated")
    return [f"backbone {path.name}: {told}"]


def pretrained(model: nn.Module) -> list[nn.Parameter]:
    """The parameters that `backbone` can give."""
    networks = (EfficientFace, IR50, VGGish)
    parts: list[nn.Module] = [frontend.tuned for frontend in tuned_frontends(model)]
    parts += [part for part in model.modules() if isinstance(part, networks)]
    return [parameter for part in parts for parameter in part.parameters()]
