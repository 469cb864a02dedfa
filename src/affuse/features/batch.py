"""The one batch type that every model takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affuse.errors import AffuseError
from affuse.execution.fields import check_list, check_number
from affuse.features.stream import Kind, Stream, StreamSpec

#: The largest statistic that a file can tell, and how many there can be of each kind.
_LARGEST, _VALUES = 1e30, 1 << 24
#: Rate in Hz of continuous valence and arousal that a model learns.
TARGET_RATE = 30.0


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
    """

    streams: dict[str, Tensor]
    masks: dict[str, Tensor]
    targets: Tensor | None = None
    ids: list[str] = field(default_factory=list)
    kinds: dict[str, Kind] = field(default_factory=dict)

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
        )

    def without(self, modality: str) -> Batch:
        """The batch with every stream of a modality absent: values zero, masks False."""
        gone = [name for name in self.streams if name.split("/", 1)[0] == modality]
        streams = {n: torch.zeros_like(x) if n in gone else x for n, x in self.streams.items()}
        masks = {n: torch.zeros_like(m) if n in gone else m for n, m in self.masks.items()}
        return replace(self, streams=streams, masks=masks)


@dataclass(frozen=True)
class Normalisation:
    """x -> (x - mean) / std, per feature (vectors) or per colour channel (images).

    Args:
        mean: Values over the last axis of a frame, one value for all, or one for each of a frame.
        std: The same; never zero.
    """

    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def to_json(self) -> dict[str, Any]:
        """The statistics as JSON values."""
        return {"mean": list(self.mean), "std": list(self.std)}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Normalisation:
        """The inverse of `to_json`, of values that a file tells.

        Raises:
            KeyError: One of them is missing.
            ValueError: One of them cannot be; the message names it.
        """
        for name, least in (("mean", -_LARGEST), ("std", 1 / _LARGEST)):
            check_list(name, value[name], 1, _VALUES)
            for x in value[name]:
                check_number(name, x, least, _LARGEST)
        return cls(tuple(value["mean"]), tuple(value["std"]))


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
    streams, masks = {}, {}
    for name, spec in specs.items():
        parts = [sample[name] for sample in samples]
        for row, part in enumerate(parts):
            check_finite(part, spec, ids[row] if ids else "")
        length = max(len(part.mask) for part in parts)
        values = np.zeros((len(parts), length, *spec.shape), spec.dtype)
        mask = np.zeros((len(parts), length), bool)
        for row, part in enumerate(parts):
            values[row, : len(part.mask)] = part.values
            mask[row, : len(part.mask)] = part.mask
        streams[name], masks[name] = torch.from_numpy(values), torch.from_numpy(mask)
    labels = None if targets is None else torch.from_numpy(np.stack(targets))
    kinds = {name: spec.kind for name, spec in specs.items()}
    return Batch(streams, masks, labels, list(ids), kinds)


def check_finite(stream: Stream, spec: StreamSpec, clip: str = "") -> None:
    """Refuse a stream whose present frames hold a number that is not finite.

    Raises:
        AffuseError: The message names clip, stream and second.
    """
    if spec.dtype == "uint8":
        return
    bad = stream.mask & ~_finite(stream.values)
    if bad.any():
        second = stream.start + int(bad.argmax()) / (spec.rate or 1.0)
        what = f"clip {clip}: stream {spec.name}" if clip else f"stream {spec.name}"
        raise AffuseError(
            f"{what} holds a number that is not finite (nan or inf) at {second:.2f} s; look for "
            "such sound with affuse check --whole, and prepare the clip again"
        )


def _finite(values: np.ndarray) -> np.ndarray:
    """(T, ...) -> (T,) bool, whether all numbers of a frame are finite."""
    axes = tuple(range(1, values.ndim))
    if values.dtype == np.float16:  # by its bits: numpy would convert each number to float32 first
        return np.asarray((values.view(np.uint16) & 0x7FFF).max(axes) < 0x7C00)
    return np.asarray(np.isfinite(values).all(axes))


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
