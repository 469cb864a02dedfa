"""Modality dropout: batches in which sound or image is weak, gone or noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from affuse.features.batch import Batch
from affuse.training.recipe_parts import Dropout

#: What a copy has of a modality.
_AS_IT_IS, _CHANGED, _ZERO = 0, 1, 2


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
    copies: dict[str, Sequence[int]]
    if dropout.kind == "softhard":
        alpha = torch.randint(0, 100, (len(batch),)) / 100
        copies = {
            "audio": (_AS_IT_IS, _CHANGED, _ZERO, _AS_IT_IS),
            "video": (_AS_IT_IS, _CHANGED, _AS_IT_IS, _ZERO),
        }
        return _several(batch, _scaled(batch, alpha), copies, dropout.masks)
    copies = {
        "audio": (_AS_IT_IS, _CHANGED, _AS_IT_IS),
        "video": (_AS_IT_IS, _AS_IT_IS, _CHANGED),
    }
    return _several(batch, _noise(batch), copies, False)


def _scaled(batch: Batch, alpha: Tensor) -> dict[str, Tensor]:
    """Streams of sound times alpha, of images times 1 - alpha, per clip."""

    def factor(name: str, x: Tensor) -> Tensor:
        weight = alpha if name.startswith("audio/") else 1 - alpha
        return weight.to(x).reshape(-1, *[1] * (x.ndim - 1))

    return {name: x * factor(name, x) for name, x in batch.streams.items()}


def _noise(batch: Batch) -> dict[str, Tensor]:
    """N(0, 1) noise in place of every stream, of sound first."""
    ordered = sorted(batch.streams, key=lambda name: not name.startswith("audio/"))
    return {
        name: torch.randn(batch.streams[name].shape).to(batch.streams[name]) for name in ordered
    }


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


def _several(
    batch: Batch, changed: dict[str, Tensor], copies: Mapping[str, Sequence[int]], masks: bool
) -> Batch:
    """Copies of a batch in a random order, and which clips of a stream are alike.

    Args:
        batch: n clips.
        changed: Name -> the streams (n, T, ...) of a copy in which they are changed.
        copies: Modality -> what every copy has of it.
        masks: Whether what is zero is absent.
    """
    n = len(batch)
    clips = torch.arange(n)
    order = torch.randperm(n * len(copies["audio"]))
    streams, there, alike = {}, {}, {}
    for name, x in batch.streams.items():
        own = copies[name.split("/", 1)[0]]
        # Rows of the distinct clips: as they are, changed, and one of zeros.
        rows = torch.cat([2 * n + 0 * clips if c == _ZERO else c * n + clips for c in own])[order]
        streams[name] = torch.cat([x, changed[name], torch.zeros_like(x[:1])])[rows.to(x.device)]
        zero = (rows == 2 * n).unsqueeze(1)
        alike[name] = _alike(rows, zero, x.shape[1]).to(x.device)
        mask = batch.masks[name].repeat(len(own), 1)[order.to(x.device)]
        there[name] = mask & ~zero.to(x.device) if masks else mask
    targets = None
    if batch.targets is not None:
        targets = torch.cat([batch.targets] * len(copies["audio"]))[order.to(batch.targets.device)]
    ids = [batch.ids[i % n] for i in order.tolist()] if batch.ids else []
    return Batch(streams, there, targets, ids, batch.kinds, alike)


def _alike(rows: Tensor, zero: Tensor, frames: int) -> Tensor:
    """`Batch.alike` of clips that are some rows (B,) of distinct ones, some of them zero (B, 1)."""
    places = torch.arange(len(rows))
    first = rows.new_full((int(rows.max()) + 1,), len(rows)).scatter_reduce(
        0, rows, places, "amin"
    )[rows]
    return first.unsqueeze(1) * frames + torch.arange(frames) * ~zero
