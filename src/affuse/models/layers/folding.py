"""Networks for prediction: batch normalisation folded into the convolutions before it."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

M = TypeVar("M", bound=nn.Module)


@runtime_checkable
class Foldable(Protocol):
    """A module that says which of its convolutions are followed by which normalisation.

    Attributes:
        folds: Names of (convolution, normalisation), each applied to what the other gives.
    """

    folds: tuple[tuple[str, str], ...]


def folded(network: M) -> M:
    """A copy of a network with the same results in evaluation mode, in about half of the time.

    Convolutions that batch normalisation follows, in an `nn.Sequential` or as a `Foldable` says,
    take over what it does; weights are laid out with channels last, as images are.

    Args:
        network: In evaluation mode; one in training mode is only copied.
    """
    network = copy.deepcopy(network)
    if network.training:
        return network
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential):
            names = list(module._modules)
            pairs = list(pairwise(names))
        else:
            pairs = list(module.folds) if isinstance(module, Foldable) else []
        for first, second in pairs:
            _fold(module, first, second)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            laid_out = module.weight.data.contiguous(memory_format=torch.channels_last)
            module.weight.data = laid_out
    return network


def _fold(module: nn.Module, first: str, second: str) -> None:
    """Let the first of two layers take over what the second does, if it can."""
    conv, norm = module._modules[first], module._modules[second]
    if not isinstance(conv, nn.Conv2d) or not isinstance(norm, nn.BatchNorm2d):
        return
    if norm.running_mean is None or norm.running_var is None:
        return
    with torch.no_grad():
        weight, bias = fuse_conv_bn_weights(
            conv.weight,
            conv.bias,
            norm.running_mean,
            norm.running_var,
            norm.eps,
            norm.weight,
            norm.bias,
        )
    conv.weight, conv.bias = weight, bias
    module._modules[second] = nn.Identity()
