"""Random changes to normalised training batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from affuse.errors import AffuseError
from affuse.features.batch import Batch, Normalisation
from affuse.features.stream import Kind, StreamSpec
from affuse.training.augmentations.draws import column
from affuse.training.augmentations.images import change_pictures, no_face
from affuse.training.augmentations.spectra import change_spectra, is_log_power, no_voice
from affuse.training.recipe_parts import Augmentation

#: What each kind of stream can be changed by, maps as vectors are; other keys change any.
_CHANGES: dict[str, tuple[str, ...]] = {
    "pictures": (
        *(
            "horizontal_flip",
            "rotation",
            "scale",
            "translate",
            "color_jitter",
            "gaussian_blur",
            "jpeg",
            "erasing",
            "crop",
        ),
    ),
    "spectrum": (
        *("gain", "time_stretch", "pitch_shift", "frequency_masks", "time_masks"),
        *("parametric_eq", "background_noise", "room_simulator", "band_pass_filter"),
    ),
    "vectors": ("gaussian_noise",),
}
#: Those that work on the power of log spectra as `audio/logmel<N>-16k` has them.
_ON_POWER = (
    "parametric_eq",
    "background_noise",
    "room_simulator",
    "band_pass_filter",
    "outlier_exposure",
)


def check_augmentation(change: Augmentation, streams: Mapping[str, StreamSpec]) -> None:
    """Refuse a change that would touch no stream, or one that it would spoil.

    Args:
        change: What is done.
        streams: The streams that are trained on, by name.

    Raises:
        AffuseError: The message names the key of the recipe.
    """
    kinds = {"vectors" if spec.kind == "maps" else spec.kind for spec in streams.values()}
    listed = ", ".join(f"{name} ({spec.kind})" for name, spec in streams.items())
    for kind, keys in _CHANGES.items():
        for key in keys:
            if getattr(change, key) and kind not in kinds:
                raise AffuseError(
                    f"augmentation.{key} changes streams of kind {kind}; the recipe has {listed}"
                )
    fixed = all(spec.rate == 0 or spec.span is not None for spec in streams.values())
    if change.adjust_duration and fixed:
        raise AffuseError(
            "augmentation.adjust_duration cannot cut one row per clip or a fixed span; the recipe "
            f"has {listed}"
        )
    for name, spec in streams.items():
        for key in _ON_POWER:
            if getattr(change, key) and spec.kind == "spectrum" and not is_log_power(spec):
                raise AffuseError(
                    f"augmentation.{key} is for audio/logmel<N>-16k; it cannot change {name}"
                )


def augment(
    batch: Batch,
    change: Augmentation,
    classes: int,
    normalisation: Mapping[str, Normalisation] | None = None,
) -> Batch:
    """Change a normalised batch at random.

    Args:
        batch: With any targets.
        change: What is done.
        classes: Number of classes C.
        normalisation: What the streams were normalised with, by name; nothing by default.

    Returns:
        The changed batch; with mixup class indices become probabilities (B, C).
    """
    scales = normalisation or {}
    streams = {
        name: _augment_stream(
            x, batch.masks[name], batch.kind_of(name), change, scales.get(name, Normalisation())
        )
        for name, x in batch.streams.items()
    }
    masks, targets = batch.masks, batch.targets
    if change.outlier_exposure and targets is not None:
        empty = (torch.rand(len(batch)) < change.outlier_exposure).to(targets.device)
        streams = {
            n: _emptied(x, masks[n], batch.kind_of(n), empty, scales.get(n, Normalisation()))
            for n, x in streams.items()
        }
        targets = one_hot(targets, classes).float() if targets.ndim == 1 else targets
        targets = torch.where(empty[:, None], 1 / classes, targets)
    if change.mixup and targets is not None:
        targets = one_hot(targets, classes).float() if targets.ndim == 1 else targets
        beta = torch.distributions.Beta(change.mixup, change.mixup)
        weight = beta.sample((len(batch),))
        weight = torch.maximum(weight, 1 - weight).to(targets.device)
        order = torch.randperm(len(batch)).to(targets.device)
        streams = {
            n: x.lerp(x[order], column(1 - weight, x.ndim).to(x)) for n, x in streams.items()
        }
        masks = {name: mask | mask[order] for name, mask in masks.items()}
        targets = targets.lerp(targets[order], 1 - weight[:, None])
    return replace(batch, streams=streams, masks=masks, targets=targets)


def _augment_stream(
    x: Tensor, mask: Tensor, kind: Kind, change: Augmentation, scale: Normalisation
) -> Tensor:
    if kind == "pictures":
        return change_pictures(x, change, scale)
    if kind == "spectrum":
        x = change_spectra(x, change, scale)
    elif change.gaussian_noise and kind != "scores":
        x = x + change.gaussian_noise * torch.randn(x.shape).to(x)
    else:
        return x
    return x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))


def _emptied(x: Tensor, mask: Tensor, kind: Kind, empty: Tensor, scale: Normalisation) -> Tensor:
    """Some clips of a batch replaced by what shows no emotion."""
    if kind == "pictures":
        x = torch.where(column(empty, 5), no_face(x), x)
    elif kind == "spectrum":
        rows = empty.nonzero()[:, 0]
        x = x.index_copy(0, rows, no_voice(x[rows], scale))
    else:
        x = x * ~column(empty, x.ndim)
    return x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
