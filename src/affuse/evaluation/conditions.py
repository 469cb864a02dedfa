"""What is available at test time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.media.changes.bursts import bursts
from affuse.registry import Entry, Registry

#: Mean length in seconds of a stretch of lost frames.
_LOST = 0.5


def with_noise(
    batch: Batch, streams: Mapping[str, StreamSpec], modality: str, snr: float = 0.0
) -> Batch:
    """Gaussian noise on every stream of a modality, `snr` dB below the signal.

    The deviation of 0 dB is that of each clip's own present values; the draw depends on the clip id
    alone.
    """
    noisy = dict(batch.streams)
    for name in _streams_of(batch, modality):
        x = noisy[name] = batch.streams[name].clone()
        for row, clip in enumerate(batch.ids):
            present = batch.masks[name][row]
            values = x[row, present]
            if values.numel() > 1:
                noise = values.std() * _draw(name, clip, values)
                x[row, present] = values + noise * 10 ** (-snr / 20)
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


def with_losses(
    batch: Batch, streams: Mapping[str, StreamSpec], modality: str, share: float
) -> Batch:
    """A share of the frames of every stream of a modality absent, in bursts of about half a second.

    Streams of one row per clip stay as they are. The draw depends on the clip id alone.
    """
    values, masks = dict(batch.streams), dict(batch.masks)
    for name in _streams_of(batch, modality):
        if streams[name].rate == 0:
            continue
        masks[name] = batch.masks[name].clone()
        for row, clip in enumerate(batch.ids):
            random = np.random.default_rng(zlib.crc32(f"lost {modality} {clip}".encode()))
            lost = bursts(masks[name].shape[1], share, _LOST * streams[name].rate, random)
            masks[name][row] &= torch.from_numpy(~lost).to(batch.masks[name].device)
        there = masks[name].reshape(*masks[name].shape, *[1] * (values[name].ndim - 2))
        values[name] = torch.where(there, values[name], 0)
    return replace(batch, streams=values, masks=masks)


def _streams_of(batch: Batch, modality: str) -> list[str]:
    return [name for name in batch.streams if name.split("/", 1)[0] == modality]


def _draw(stream: str, clip: str, like: Tensor) -> Tensor:
    """N(0, 1) noise of a clip in the shape of a tensor."""
    random = np.random.default_rng(zlib.crc32(f"{stream} {clip}".encode()))
    return torch.from_numpy(random.standard_normal(like.shape, np.float32)).to(like)


def without(batch: Batch, streams: Mapping[str, StreamSpec], modality: str) -> Batch:
    """Every stream of a modality absent."""
    return batch.without(modality)


def unchanged(batch: Batch, streams: Mapping[str, StreamSpec]) -> Batch:
    """The batch as it is."""
    return batch


CONDITIONS: Registry[Entry] = Registry(
    "condition",
    {
        "av": Entry("affuse.evaluation.conditions:unchanged", "sound and image"),
        "audio": Entry("affuse.evaluation.conditions:without", "sound only", {"modality": "video"}),
        "video": Entry("affuse.evaluation.conditions:without", "image only", {"modality": "audio"}),
        "noisy-audio": Entry(
            "affuse.evaluation.conditions:with_noise",
            "noise on the audio streams (spectra, features), not on the sound, 0 dB",
            {"modality": "audio"},
        ),
        "noisy-video": Entry(
            "affuse.evaluation.conditions:with_noise",
            "noise on the video streams, 0 dB",
            {"modality": "video"},
        ),
        "lost-video-50": Entry(
            "affuse.evaluation.conditions:with_losses",
            "half of the images lost, in bursts",
            {"modality": "video", "share": 0.5},
        ),
        "lost-video-90": Entry(
            "affuse.evaluation.conditions:with_losses",
            "nine of ten images lost, in bursts",
            {"modality": "video", "share": 0.9},
        ),
        "noise-filled-audio": Entry(
            "affuse.evaluation.conditions:filled_with",
            "N(0, 1) noise instead of the sound",
            {"modality": "audio", "filling": "noise"},
        ),
        "noise-filled-video": Entry(
            "affuse.evaluation.conditions:filled_with",
            "N(0, 1) noise instead of the image",
            {"modality": "video", "filling": "noise"},
        ),
        "zero-filled-audio": Entry(
            "affuse.evaluation.conditions:filled_with",
            "zero-filled sound, which counts as input",
            {"modality": "audio", "filling": "zeros"},
        ),
        "zero-filled-video": Entry(
            "affuse.evaluation.conditions:filled_with",
            "zero-filled images, which count as input",
            {"modality": "video", "filling": "zeros"},
        ),
    },
    group="affuse.conditions",
    listed_by="affuse list conditions",
)


def condition(name: str, streams: Mapping[str, StreamSpec]) -> Callable[[Batch], Batch]:
    """The change that a condition makes to a normalised batch.

    Args:
        name: One of `CONDITIONS`.
        streams: Of the batch, by name.

    Raises:
        AffuseError: There is no such condition.
    """
    entry = CONDITIONS[name]
    change = partial(entry.load(), **entry.arguments)
    return lambda batch: change(batch, streams)


def changed_modality(name: str) -> str | None:
    """The modality whose values a condition changes; None where it only takes frames away.

    Args:
        name: One of `CONDITIONS`.
    """
    entry = CONDITIONS[name]
    only_takes = entry.load() in (without, with_losses, unchanged)
    return None if only_takes else entry.arguments.get("modality")


def leaves(name: str, modalities: Collection[str]) -> bool:
    """Whether a condition leaves a model one of the modalities that it reads.

    Args:
        name: One of `CONDITIONS`.
        modalities: Of the model.
    """
    entry = CONDITIONS[name]
    gone = entry.arguments.get("modality") if entry.load() is without else None
    return any(modality != gone for modality in modalities)


def default_conditions(streams: Mapping[str, StreamSpec]) -> list[str]:
    """Both modalities and each alone; or the one modality that a model reads.

    Args:
        streams: Of the model, by name.
    """
    modalities = {spec.modality for spec in streams.values()}
    return ["av", "audio", "video"] if len(modalities) > 1 else sorted(modalities)
