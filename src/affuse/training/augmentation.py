"""Random changes to normalised training batches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from affuse.features.batch import Batch, Normalisation
from affuse.training.changes.draws import column
from affuse.training.changes.pictures import change_pictures, no_face
from affuse.training.changes.spectra import change_spectra, no_voice
from affuse.training.recipe_parts import Augmentation


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
        name: _augment_stream(x, batch.masks[name], name, change, scales.get(name, Normalisation()))
        for name, x in batch.streams.items()
    }
    masks, targets = batch.masks, batch.targets
    if change.nothing and targets is not None:
        empty = (torch.rand(len(batch)) < change.nothing).to(targets.device)
        streams = {
            n: _emptied(x, masks[n], n, empty, scales.get(n, Normalisation()))
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
    return Batch(streams, masks, targets, batch.ids)


def _augment_stream(
    x: Tensor, mask: Tensor, name: str, change: Augmentation, scale: Normalisation
) -> Tensor:
    if x.ndim == 5:
        return change_pictures(x, change, scale)
    if name.startswith("audio/logmel"):
        x = change_spectra(x, change, scale)
    elif change.noise:
        x = x + change.noise * torch.randn(x.shape).to(x)
    return x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))


def _emptied(x: Tensor, mask: Tensor, name: str, empty: Tensor, scale: Normalisation) -> Tensor:
    """Some clips of a batch replaced by what shows no emotion."""
    if x.ndim == 5:
        x = torch.where(column(empty, 5), no_face(x), x)
    elif name.startswith("audio/logmel"):
        rows = empty.nonzero()[:, 0]
        x = x.index_copy(0, rows, no_voice(x[rows], scale))
    else:
        x = x * ~column(empty, x.ndim)
    return x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
