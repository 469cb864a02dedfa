"""The networks of TSAV on series of several lengths at once, for a graph that cannot sort them.

A convolution sees zeros where a series ends. So that it sees the same where a longer series lies
beside it, what is behind the end is set to zero again after every layer that makes something of
zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.backbones.tsav import R2Plus1D, ResidualUnit, SpectrogramResNet
from affuse.models.layers.alignment import series_lengths


def masked_features(
    net: SpectrogramResNet | R2Plus1D, x: Tensor, mask: Tensor, axis: int
) -> tuple[Tensor, Tensor]:
    """Features of series of any lengths; what `by_length` gives, but for rounding.

    Args:
        net: In evaluation.
        x: What it takes, with dimension `axis` for time.
        mask: (B, T) bool; a series ends with its last present frame.
        axis: Dimension of time.

    Returns:
        (B, features), zero for a series without any frame, and (B, 1) bool, which have one.
    """
    lengths = there = series_lengths(F.pad(mask, (0, 1)))  # there may be no frame at all
    x = _ended(x, lengths, axis)
    for layers in (net.stem, net.layer1, net.layer2, net.layer3, net.layer4):
        x, lengths = _through(layers, x, lengths, axis)
    over_space = x.mean([d for d in range(2, x.ndim) if d != axis])
    means = over_space.sum(2) / lengths.clamp(min=1).unsqueeze(1)
    return means, (there > 0).unsqueeze(1)


def _through(module: nn.Module, x: Tensor, lengths: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """What layers make of series, zero behind their ends, and the lengths then."""
    if isinstance(module, nn.Sequential):
        for layer in module:
            x, lengths = _through(layer, x, lengths, axis)
        return x, lengths
    if isinstance(module, ResidualUnit):
        made, after = _through(module.residual, x, lengths, axis)
        short, _ = _through(module.shortcut, x, lengths, axis)
        return F.relu(made + short), after
    if isinstance(module, nn.Conv2d | nn.Conv3d | nn.MaxPool2d):
        kernel, stride, padding = (
            value if isinstance(value, int) else int(value[axis - 2])
            for value in (module.kernel_size, module.stride, module.padding)
        )
        lengths = (lengths + 2 * padding - kernel) // stride + 1
    return _ended(module(x), lengths, axis), lengths


def _ended(x: Tensor, lengths: Tensor, axis: int) -> Tensor:
    """(B, C, ...) with zeros behind the end of each series."""
    shape = [1] * x.ndim
    shape[axis] = -1
    places = torch.arange(x.shape[axis], device=x.device).reshape(shape)
    return x * (places < lengths.reshape(-1, *[1] * (x.ndim - 1)))
