"""Modality dropout: batches in which sound or image is weak, gone or noise."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from affuse.features.batch import Batch
from affuse.training.recipe_parts import Dropout


def apply_dropout(batch: Batch, dropout: Dropout) -> Batch:
    """A training batch after modality dropout.

    Args:
        batch: A normalised batch of n clips.
        dropout: What is done; `softhard` gives 4n clips, `noise` 3n, the others n.

    Returns:
        The batch, in a random order for `softhard` and `noise`.

    Source: Chumachenko et al. 2022, released code. Its draws come from torch's global generator in
    the same order: for `softhard` the factors, for `noise` the sound and then the image, then
    the order of the clips. `batch`: AuxFormer (ICASSP 2022), released code.
    """
    if dropout.kind == "none":
        return batch
    if dropout.kind == "drop":
        return _drop(batch, dropout.probability)
    if dropout.kind == "batch":
        return _shut_off(batch, dropout)
    n = len(batch)
    if dropout.kind == "softhard":
        alpha = torch.randint(0, 100, (n,)) / 100
        silent, unseen = batch.without("audio"), batch.without("video")
        copies = [batch, _scaled(batch, alpha), silent, unseen]
    else:
        copies = [batch, _noise(batch, "audio"), _noise(batch, "video")]
    if not dropout.masks or dropout.kind == "noise":
        copies = [replace(copy, masks=batch.masks) for copy in copies]
    return _concatenate(copies, torch.randperm(n * len(copies)))


def _scaled(batch: Batch, alpha: Tensor) -> Batch:
    """Sound times alpha, image times 1 - alpha, per clip."""

    def factor(name: str, x: Tensor) -> Tensor:
        weight = alpha if name.startswith("audio/") else 1 - alpha
        return weight.to(x).reshape(-1, *[1] * (x.ndim - 1))

    streams = {name: x * factor(name, x) for name, x in batch.streams.items()}
    return replace(batch, streams=streams)


def _noise(batch: Batch, modality: str) -> Batch:
    """Every stream of a modality replaced by N(0, 1) noise."""
    streams = {
        name: torch.randn(x.shape).to(x) if name.startswith(modality + "/") else x
        for name, x in batch.streams.items()
    }
    return replace(batch, streams=streams)


def _drop(batch: Batch, probability: float) -> Batch:
    """Each clip loses sound or image, either as likely, with a probability."""
    n = len(batch)
    lost = torch.rand(n) < probability
    which = torch.randint(0, 2, (n,))
    streams, masks = {}, {}
    for name, x in batch.streams.items():
        gone = lost & (which == (0 if name.startswith("audio/") else 1))
        kept = (~gone).to(x.device)
        streams[name] = x * kept.reshape(-1, *[1] * (x.ndim - 1))
        masks[name] = batch.masks[name] & kept[:, None]
    return replace(batch, streams=streams, masks=masks)


def _shut_off(batch: Batch, dropout: Dropout) -> Batch:
    """All clips lose sound or image, either as likely, with a probability."""
    drawn = float(torch.rand(()))
    if drawn >= dropout.probability:
        return batch
    without = batch.without("audio" if drawn < dropout.probability / 2 else "video")
    return without if dropout.masks else replace(without, masks=batch.masks)


def _concatenate(copies: list[Batch], order: Tensor) -> Batch:
    first = copies[0]
    index = order.to(next(iter(first.masks.values())).device)
    targets = None
    if first.targets is not None:
        targets = torch.cat([first.targets] * len(copies))[index]
    return Batch(
        {name: torch.cat([c.streams[name] for c in copies])[index] for name in first.streams},
        {name: torch.cat([c.masks[name] for c in copies])[index] for name in first.masks},
        targets,
        [(first.ids * len(copies))[i] for i in order.tolist()] if first.ids else [],
        first.kinds,
    )
