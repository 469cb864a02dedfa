"""Random changes to normalised training batches."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, one_hot, pad

from affuse.features.batch import Batch
from affuse.training.recipe_parts import Augmentation


def augment(batch: Batch, change: Augmentation, classes: int) -> Batch:
    """Change a normalised batch at random.

    Args:
        batch: With any targets.
        change: What is done.
        classes: Number of classes C.

    Returns:
        The changed batch; with mixup class indices become probabilities (B, C).
    """
    streams = {
        name: _augment_stream(x, batch.masks[name], name, change)
        for name, x in batch.streams.items()
    }
    masks, targets = batch.masks, batch.targets
    if change.mixup and targets is not None:
        targets = one_hot(targets, classes).float() if targets.ndim == 1 else targets
        beta = torch.distributions.Beta(change.mixup, change.mixup)
        weight = beta.sample((len(batch),))
        weight = torch.maximum(weight, 1 - weight).to(targets.device)
        order = torch.randperm(len(batch)).to(targets.device)
        streams = {
            n: x.lerp(x[order], _column(1 - weight, x.ndim).to(x)) for n, x in streams.items()
        }
        masks = {name: mask | mask[order] for name, mask in masks.items()}
        targets = targets.lerp(targets[order], 1 - weight[:, None])
    return Batch(streams, masks, targets, batch.ids)


def _augment_stream(x: Tensor, mask: Tensor, name: str, change: Augmentation) -> Tensor:
    if x.ndim == 5:
        return _turn(x, change)
    if name.startswith("audio/logmel"):
        if change.speed or change.pitch:
            x = _warp(x, change.speed, change.pitch)
        if change.gain:
            x = x + change.gain * _column(torch.randn(len(x)), x.ndim).to(x)
        for axis, widths in ((2, change.frequency_masks), (1, change.time_masks)):
            for width in widths:
                x = _blank(x, axis, width)
    elif change.noise:
        x = x + change.noise * torch.randn(x.shape).to(x)
    return x * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))


def _turn(x: Tensor, change: Augmentation) -> Tensor:
    """Move, mirror and turn all pictures of a clip alike; corners become zero (training mean)."""
    if change.jitter:
        x = _moved(x, change.jitter)
    if change.flip:
        flipped = (torch.rand(len(x)) < change.flip).to(x.device)
        x = torch.where(_column(flipped, x.ndim), x.flip(-1), x)
    if change.rotation:
        angle = (2 * torch.rand(len(x)) - 1) * math.radians(change.rotation)
        cos, sin, zero = angle.cos(), angle.sin(), torch.zeros(len(x))
        matrix = torch.stack([cos, -sin, zero, sin, cos, zero], 1).reshape(-1, 2, 3)
        b, t = x.shape[:2]
        matrix = matrix.repeat_interleave(t, 0).to(x)
        flat = x.flatten(0, 1)
        grid = affine_grid(matrix, list(flat.shape), align_corners=False)
        x = grid_sample(flat, grid, align_corners=False).reshape(b, t, *x.shape[2:])
    return x


def _moved(x: Tensor, pixels: int) -> Tensor:
    """Move all pictures of a clip alike, another way per clip, by whole pixels."""
    padded = pad(x, (pixels,) * 4)
    height, width = x.shape[-2:]
    places = torch.randint(0, 2 * pixels + 1, (len(x), 2)).tolist()
    return torch.stack(
        [
            clip[..., top : top + height, left : left + width]
            for clip, (top, left) in zip(padded, places, strict=True)
        ]
    )


def _warp(x: Tensor, speed: float, pitch: float) -> Tensor:
    """Stretch time around the middle, stretch and shift the mel axis, another way per clip."""
    draw = 2 * torch.rand(len(x), 3) - 1
    matrix = torch.zeros(len(x), 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 2] = 1 + pitch * draw[:, 0], pitch * draw[:, 1]
    matrix[:, 1, 1] = 1 + speed * draw[:, 2]
    grid = affine_grid(matrix.to(x), [len(x), 1, *x.shape[1:]], align_corners=False)
    warped = grid_sample(x[:, None], grid, padding_mode="border", align_corners=False)
    return warped[:, 0]


def _blank(x: Tensor, axis: int, longest: int) -> Tensor:
    """Zero (the training mean) along one stretch of an axis, another one per clip."""
    size = x.shape[axis]
    width = torch.rand(len(x)) * longest
    start = torch.rand(len(x)) * (size - width)
    place = torch.arange(size)[None]
    keep = (place < start[:, None]) | (place >= (start + width)[:, None])
    shape = [len(x), *[size if a == axis else 1 for a in range(1, x.ndim)]]
    return x * keep.reshape(shape).to(x)


def _column(values: Tensor, ndim: int) -> Tensor:
    """(B,) as (B, 1, ..., 1)."""
    return values.reshape(-1, *[1] * (ndim - 1))
