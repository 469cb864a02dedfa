"""The one batch type that every model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from affuse.features.normalisation import Normalisation
from affuse.features.padded import check_finite, padded
from affuse.features.stream import TARGET_RATE, Kind, Stream, StreamSpec

__all__ = ["TARGET_RATE", "Batch", "Normalisation", "check_finite", "collate", "normalise"]


@dataclass
class Batch:
    """Streams of several clips, side by side.

    Args:
        streams: Name -> (B, T, ...). Raw after `collate` (images (B, T, H, W, 3) uint8); after
            `normalise` float32, images (B, T, 3, H, W).
        masks: Name -> (B, T) bool, True = present. A missing modality is all False.
        targets: (B,) int64 class indices; or (B, C) float32 probabilities; or (B, T, D) float32
            values at `TARGET_RATE`, NaN where nobody annotated; or None.
        ids: Clip ids.
        kinds: Name -> what the frames are, which decides how they are normalised and augmented;
            `vectors` where it is not said.
        alike: Name -> (B, T) int64, the first frame with the same values, counted through the
            clips (clip * T + frame), whatever the masks; of streams that are known to repeat.
    """

    streams: dict[str, Tensor]
    masks: dict[str, Tensor]
    targets: Tensor | None = None
    ids: list[str] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)
    alike: dict[str, Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.masks.values())))

    def kind_of(self, name: str) -> Kind:
        """What the frames of a stream are."""
        return self.kinds.get(name, "vectors")

    def to(self, device: torch.device | str) -> Batch:
        """The batch on another device."""
        return Batch(
            {name: x.to(device, non_blocking=True) for name, x in self.streams.items()},
            {name: x.to(device, non_blocking=True) for name, x in self.masks.items()},
            None if self.targets is None else self.targets.to(device, non_blocking=True),
            self.ids,
            self.kinds,
            {name: x.to(device, non_blocking=True) for name, x in self.alike.items()},
        )

    def rows(self, indices: Sequence[int]) -> Batch:
        """Some of the clips, of a batch that does not say which frames are alike."""
        chosen = torch.tensor(indices, device=next(iter(self.masks.values())).device)
        return Batch(
            {name: x[chosen] for name, x in self.streams.items()},
            {name: x[chosen] for name, x in self.masks.items()},
            None if self.targets is None else self.targets[chosen],
            [self.ids[index] for index in indices] if self.ids else [],
            self.kinds,
        )

    def without(self, modality: str) -> Batch:
        """The batch with every stream of a modality absent: values zero, masks False."""
        gone = [name for name in self.streams if name.split("/", 1)[0] == modality]
        streams = {n: torch.zeros_like(x) if n in gone else x for n, x in self.streams.items()}
        masks = {n: torch.zeros_like(m) if n in gone else m for n, m in self.masks.items()}
        return replace(self, streams=streams, masks=masks)

    def all_present(self) -> Batch:
        """The batch with every frame counted as present."""
        return replace(self, masks={n: torch.ones_like(m) for n, m in self.masks.items()})


def collate(
    samples: Sequence[Mapping[str, Stream]],
    specs: Mapping[str, StreamSpec],
    targets: Sequence[np.ndarray] | None = None,
    ids: Sequence[str] = (),
) -> Batch:
    """Lay the streams of several clips side by side, the shorter ones padded as absent.

    Args:
        samples: The streams of each clip.
        specs: Their specs.
        targets: One of a shape per clip: () int64, (C,) float32 or (T, D) float32.
        ids: Clip ids.

    Raises:
        AffuseError: A frame that is present holds a number that is not finite; the message names
            clip, stream and second.
    """
    values, there = padded(samples, specs, ids)
    streams = {name: torch.from_numpy(x) for name, x in values.items()}
    masks = {name: torch.from_numpy(mask) for name, mask in there.items()}
    labels = None if targets is None else torch.from_numpy(np.stack(targets))
    kinds = {name: spec.kind for name, spec in specs.items()}
    return Batch(streams, masks, labels, list(ids), kinds)


def normalise(batch: Batch, statistics: Mapping[str, Normalisation]) -> Batch:
    """Streams as float32 with the statistics applied; absent frames are exactly zero.

    Images become (B, T, 3, H, W), laid out channels-last in memory.
    """
    streams = {}
    for name, raw in batch.streams.items():
        norm = statistics.get(name, Normalisation())
        x = raw.to(torch.float32, copy=True)  # changed in place: batches are large
        x.sub_(_like_frames(norm.mean, x)).div_(_like_frames(norm.std, x))
        absent = ~batch.masks[name].reshape(*batch.masks[name].shape, *[1] * (x.ndim - 2))
        x.masked_fill_(absent, 0.0)  # a product would keep a NaN where nothing is present
        streams[name] = x.movedim(-1, 2) if batch.kind_of(name) == "pictures" else x
    return replace(batch, streams=streams)


def _like_frames(values: Sequence[float], x: Tensor) -> Tensor:
    """Statistics in a shape that goes with frames (B, T, ...)."""
    found = x.new_tensor(values)
    return found.reshape(x.shape[2:]) if len(values) == x.shape[2:].numel() else found
