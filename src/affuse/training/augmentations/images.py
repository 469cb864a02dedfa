"""Random changes to images of faces; all images of a clip are changed alike."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, conv2d, grid_sample, interpolate, pad

from affuse.features.batch import Normalisation
from affuse.training.augmentations.draws import column
from affuse.training.recipe_parts import Augmentation

#: Qualities of the damage by few bits, from 1 to 100 as for JPEG.
_QUALITIES = (8, 60)
#: Steps of the 8 x 8 frequencies of luminance at quality 50 (ITU-T T.81, annex K).
_STEPS = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
#: Tiles along each side of an image that is shuffled until it shows no face.
_TILES = 4


def change_pictures(x: Tensor, change: Augmentation, scale: Normalisation) -> Tensor:
    """Change images, another way per clip; what comes from beyond them is zero (training mean).

    Args:
        x: (B, T, 3, H, W) normalised images.
        change: What is done.
        scale: What they were normalised with.
    """
    if change.crop:
        x = _moved(x, change.crop)
    if change.horizontal_flip:
        flipped = (torch.rand(len(x)) < change.horizontal_flip).to(x.device)
        x = torch.where(column(flipped, x.ndim), x.flip(-1), x)
    if change.rotation or change.scale or change.translate:
        x = _warped(x, change)
    if change.gaussian_blur:
        x = _blurred(x, change.gaussian_blur)
    if change.jpeg:
        damaged = (torch.rand(len(x)) < change.jpeg).to(x.device)
        x = torch.where(column(damaged, x.ndim), _in_blocks(x, scale), x)
    if change.color_jitter:
        contrast, brightness = change.color_jitter * (2 * torch.rand(2, len(x)) - 1).to(x)
        x = x * column(1 + contrast, x.ndim) + column(brightness, x.ndim)
    if change.erasing:
        x = _erased(x, change.erasing)
    return x


def no_face(x: Tensor) -> Tensor:
    """Images without a face in them: tiles of each in another order, or coloured clouds.

    Args:
        x: (B, T, 3, H, W) normalised images.
    """
    (height, width), clouds = x.shape[-2:], torch.rand(len(x)) < 0.5
    rows = []
    for clip, cloudy in zip(x, clouds.tolist(), strict=True):
        if cloudy:
            grid = 1 + int(torch.randint(0, min(height, width) // 2, ()))
            cloud = torch.randn(1, 3, grid, grid) * 1.5 * torch.rand(())
            size = (height, width)
            smooth = interpolate(cloud, size, mode="bilinear", align_corners=False)
            rows.append(smooth.to(x).expand_as(clip))
        else:
            order = torch.randperm(_TILES**2).tolist()
            bands = [band.tensor_split(_TILES, -1) for band in clip.tensor_split(_TILES, -2)]
            side = (-(-height // _TILES), -(-width // _TILES))
            tiles = [interpolate(tile, side) for band in bands for tile in band]
            lines = [
                torch.cat([tiles[k] for k in order[first : first + _TILES]], -1)
                for first in range(0, _TILES**2, _TILES)
            ]
            rows.append(torch.cat(lines, -2)[..., :height, :width])
    return torch.stack(rows)


def _warped(x: Tensor, change: Augmentation) -> Tensor:
    """Turn, scale and move images by one interpolation."""
    matrix = torch.zeros(len(x), 2, 3)
    angle = (2 * torch.rand(len(x)) - 1) * math.radians(change.rotation)
    size = torch.ones(len(x))
    if change.scale:
        size = 1 + change.scale * (2 * torch.rand(len(x)) - 1)
    if change.translate:
        matrix[:, :, 2] = 2 * change.translate * (2 * torch.rand(len(x), 2) - 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos() / size
    matrix[:, 1, 0] = angle.sin() / size
    matrix[:, 0, 1] = -matrix[:, 1, 0]
    b, t = x.shape[:2]
    flat = x.flatten(0, 1)
    grid = affine_grid(matrix.repeat_interleave(t, 0).to(x), list(flat.shape), align_corners=False)
    return grid_sample(flat, grid, align_corners=False).reshape(b, t, *x.shape[2:])


def _moved(x: Tensor, pixels: int) -> Tensor:
    """Move all images of a clip alike, another way per clip, by whole pixels."""
    padded = pad(x, (pixels,) * 4)
    height, width = x.shape[-2:]
    places = torch.randint(0, 2 * pixels + 1, (len(x), 2)).tolist()
    return torch.stack(
        [
            clip[..., top : top + height, left : left + width]
            for clip, (top, left) in zip(padded, places, strict=True)
        ]
    )


def _blurred(x: Tensor, largest: float) -> Tensor:
    """Half of the clips blurred by a Gaussian."""
    deviation = largest * (2 * torch.rand(len(x)) - 1).clamp(min=0)
    radius = math.ceil(2.5 * largest)
    steps = torch.arange(-radius, radius + 1.0)
    weights = torch.exp(-0.5 * (steps / deviation[:, None].clamp(min=1e-3)) ** 2)
    weights = weights / weights.sum(1, keepdim=True)
    planes = x.shape[1] * x.shape[2]
    kernels = weights.repeat_interleave(planes, 0)[:, None, None].to(x)
    edges = pad(x.reshape(1, -1, *x.shape[-2:]), (radius,) * 4, mode="replicate")
    across = conv2d(edges, kernels, groups=len(kernels))
    return conv2d(across, kernels.transpose(2, 3), groups=len(kernels)).reshape(x.shape)


def _in_blocks(x: Tensor, scale: Normalisation) -> Tensor:
    """Frequencies of 8 x 8 pixels in the steps of a quality, another one per clip."""
    low, high = _QUALITIES
    quality = low + (high - low) * torch.rand(len(x))
    coarse = torch.where(quality < 50, 50 / quality, 2 - quality / 50).to(x)
    k = torch.arange(8.0, device=x.device)
    waves = torch.cos(math.pi / 8 * (k + 0.5) * k[:, None]) / 2
    waves[0] /= math.sqrt(2)
    height, width = x.shape[-2:]
    b, t, colours = x.shape[:3]
    std = x.new_tensor(scale.std).reshape(-1, 1, 1)
    edges = pad(x.flatten(0, 1) * std, (0, -width % 8, 0, -height % 8), mode="replicate")
    rows, columns = edges.shape[-2] // 8, edges.shape[-1] // 8
    blocks = edges.reshape(b, t, colours, rows, 8, columns, 8).transpose(-3, -2)
    steps = x.new_tensor(_STEPS) * column(coarse, blocks.ndim)
    levels = waves @ blocks @ waves.T
    back = waves.T @ (torch.round(levels / steps) * steps) @ waves
    whole = back.transpose(-3, -2).reshape(b, t, colours, rows * 8, columns * 8)
    return whole[..., :height, :width] / std


def _erased(x: Tensor, part: float) -> Tensor:
    """Blank a square in half of the clips."""
    height, width = x.shape[-2:]
    side = part * width
    centre = torch.rand(len(x), 2, 1) * torch.tensor([[height], [width]])
    drawn = (torch.rand(len(x)) < 0.5)[:, None]
    down = (torch.arange(height) - centre[:, 0]).abs() < side / 2
    across = (torch.arange(width) - centre[:, 1]).abs() < side / 2
    hidden = (down[:, :, None] & across[:, None, :]) & drawn[:, :, None]
    return x.masked_fill(hidden[:, None, None].to(x.device), 0.0)
