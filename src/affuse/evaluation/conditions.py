"""What is available at test time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.suggestions import unknown

#: Changes a normalised batch of streams with these specs.
Change = Callable[[Batch, Mapping[str, StreamSpec]], Batch]


def with_noise(batch: Batch, streams: Mapping[str, StreamSpec], modality: str) -> Batch:
    """Gaussian noise as strong as the signal (0 dB) on every stream of a modality.

    The deviation is that of each clip's own present values; the draw depends on the clip id alone.
    """
    noisy = dict(batch.streams)
    for name in _streams_of(batch, modality):
        x = noisy[name] = batch.streams[name].clone()
        for row, clip in enumerate(batch.ids):
            present = batch.masks[name][row]
            values = x[row, present]
            if values.numel() > 1:
                x[row, present] = values + values.std() * _draw(name, clip, values)
    return replace(batch, streams=noisy)


def filled_with(
    batch: Batch,
    streams: Mapping[str, StreamSpec],
    modality: str,
    filling: Literal["zeros", "noise"],
) -> Batch:
    """Every stream of a modality replaced by zeros or N(0, 1) noise that count as input.

    The frames that are present are replaced and stay present; of a stream with a fixed span all of
    its frames, as published tensors have no masks. What a clip does not have at all stays absent.
    The draw depends on the clip id alone.

    Source: Chumachenko et al. 2022, released code, evaluation of one modality (`zeros`, `noise`).
    """
    filled, masks = dict(batch.streams), dict(batch.masks)
    for name in _streams_of(batch, modality):
        mask = batch.masks[name]
        if streams[name].span is not None:
            mask = mask.any(1, keepdim=True).expand_as(mask).clone()
        x = torch.zeros_like(batch.streams[name])
        if filling == "noise":
            for row, clip in enumerate(batch.ids):
                x[row, mask[row]] = _draw(name, clip, x[row, mask[row]])
        filled[name], masks[name] = x, mask
    return replace(batch, streams=filled, masks=masks)


def _streams_of(batch: Batch, modality: str) -> list[str]:
    return [name for name in batch.streams if name.split("/", 1)[0] == modality]


def _draw(stream: str, clip: str, like: Tensor) -> Tensor:
    """N(0, 1) noise of a clip in the shape of a tensor."""
    random = np.random.default_rng(zlib.crc32(f"{stream} {clip}".encode()))
    return torch.from_numpy(random.standard_normal(like.shape, np.float32)).to(like)


def _without(batch: Batch, streams: Mapping[str, StreamSpec], modality: str) -> Batch:
    return batch.without(modality)


#: Name -> (what it does to a normalised batch, what it means).
CONDITIONS: dict[str, tuple[Change, str]] = {
    "av": (lambda batch, streams: batch, "sound and picture"),
    "audio": (partial(_without, modality="video"), "sound only"),
    "video": (partial(_without, modality="audio"), "picture only"),
    "noisy-audio": (partial(with_noise, modality="audio"), "noise on the sound, 0 dB"),
    "noisy-video": (partial(with_noise, modality="video"), "noise on the picture, 0 dB"),
    "noise-filled-audio": (
        partial(filled_with, modality="audio", filling="noise"),
        "N(0, 1) noise instead of the sound",
    ),
    "noise-filled-video": (
        partial(filled_with, modality="video", filling="noise"),
        "N(0, 1) noise instead of the picture",
    ),
    "zero-filled-audio": (
        partial(filled_with, modality="audio", filling="zeros"),
        "zeros instead of the sound, which count as input",
    ),
    "zero-filled-video": (
        partial(filled_with, modality="video", filling="zeros"),
        "zeros instead of the picture, which count as input",
    ),
}


def condition(name: str, streams: Mapping[str, StreamSpec]) -> Callable[[Batch], Batch]:
    """The change that a condition makes to a normalised batch.

    Args:
        name: One of `CONDITIONS`.
        streams: Of the batch, by name.

    Raises:
        AffuseError: There is no such condition.
    """
    if name not in CONDITIONS:
        raise unknown("condition", name, CONDITIONS, "affuse list conditions")
    change, _ = CONDITIONS[name]
    return lambda batch: change(batch, streams)


def changed_modality(name: str) -> str | None:
    """The modality whose values a condition changes; None where it only takes frames away.

    Args:
        name: One of `CONDITIONS`.
    """
    change, _ = CONDITIONS[name]
    if not isinstance(change, partial) or change.func is _without:
        return None
    modality: str = change.keywords["modality"]
    return modality


def default_conditions(streams: Mapping[str, StreamSpec]) -> list[str]:
    """Both modalities and each alone; or the one modality that a model reads.

    Args:
        streams: Of the model, by name.
    """
    modalities = {spec.modality for spec in streams.values()}
    return ["av", "audio", "video"] if len(modalities) > 1 else sorted(modalities)
