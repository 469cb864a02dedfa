"""What is available at test time."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec


def with_noise(batch: Batch, modality: str) -> Batch:
    """Gaussian noise as strong as the signal (0 dB) on every stream of a modality.

    The deviation is that of each clip's own present values; the draw depends on the clip id alone.
    """
    streams = dict(batch.streams)
    for name, x in batch.streams.items():
        if name.split("/", 1)[0] != modality:
            continue
        noisy = x.clone()
        for row, clip in enumerate(batch.ids):
            present = batch.masks[name][row]
            values = x[row, present]
            random = np.random.default_rng(zlib.crc32(f"{name} {clip}".encode()))
            noise = torch.from_numpy(random.standard_normal(values.shape, np.float32)).to(x)
            if values.numel() > 1:
                noisy[row, present] = values + values.std() * noise
        streams[name] = noisy
    return replace(batch, streams=streams)


#: Name -> (what it does to a normalised batch, what it means).
CONDITIONS: dict[str, tuple[Callable[[Batch], Batch], str]] = {
    "av": (lambda batch: batch, "sound and picture"),
    "audio": (partial(Batch.without, modality="video"), "sound only"),
    "video": (partial(Batch.without, modality="audio"), "picture only"),
    "noisy-audio": (partial(with_noise, modality="audio"), "noise on the sound, 0 dB"),
    "noisy-video": (partial(with_noise, modality="video"), "noise on the picture, 0 dB"),
}


def condition(name: str) -> Callable[[Batch], Batch]:
    """The change that a condition makes to a normalised batch.

    Raises:
        AffuseError: There is no such condition.
    """
    if name not in CONDITIONS:
        raise AffuseError(f"unknown condition {name!r} (known: {', '.join(CONDITIONS)})")
    return CONDITIONS[name][0]


def default_conditions(streams: Mapping[str, StreamSpec]) -> list[str]:
    """Both modalities and each alone; or the one modality that a model reads.

    Args:
        streams: Of the model, by name.
    """
    modalities = {spec.modality for spec in streams.values()}
    return ["av", "audio", "video"] if len(modalities) > 1 else sorted(modalities)
