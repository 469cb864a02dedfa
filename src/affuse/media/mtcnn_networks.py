"""The three networks of MTCNN, with the published weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from affuse.media.mtcnn_weights import mtcnn_weights

#: Images -> arrays.
Network = Callable[[np.ndarray], tuple[np.ndarray, ...]]
N = TypeVar("N", bound=nn.Module)


def _convolutions(*layers: tuple[int, int, int, int | None]) -> nn.Sequential:
    """Unpadded convolutions with PReLU: (in, out, kernel, window of a stride-2 pooling or None)."""
    modules: list[nn.Module] = []
    for channels_in, channels_out, kernel, pooling in layers:
        modules += [nn.Conv2d(channels_in, channels_out, kernel), nn.PReLU(channels_out)]
        if pooling:
            modules.append(nn.MaxPool2d(pooling, 2, ceil_mode=True))
    return nn.Sequential(*modules)


class ProposalNetwork(nn.Module):
    """P-Net: every 12 by 12 window of an image, two pixels apart, is a face or not."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _convolutions((3, 10, 3, 2), (10, 16, 3, None), (16, 32, 3, None))
        self.box = nn.Conv2d(32, 4, 1)
        self.face = nn.Conv2d(32, 2, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Face probability (B, h, w) and box correction (B, 4, h, w) of images (B, 3, H, W)."""
        x = self.trunk(images)
        return self.face(x).softmax(1)[:, 1], self.box(x)


class _CropNetwork(nn.Module):
    """What R-Net and O-Net share: convolutions, one dense layer, heads."""

    def __init__(self, trunk: nn.Sequential, flat: int, hidden: int, landmarks: bool) -> None:
        super().__init__()
        self.trunk = trunk
        self.dense = nn.Linear(flat, hidden)
        self.activation = nn.PReLU(hidden)
        self.box = nn.Linear(hidden, 4)
        self.landmarks = nn.Linear(hidden, 10) if landmarks else None
        self.face = nn.Linear(hidden, 2)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Face probability (N,), box correction (N, 4) and landmarks (N, 10) or (N, 0)."""
        x = self.trunk(crops)
        # the published weights come from a column-major framework: flattened as (x, y, channel)
        x = self.activation(self.dense(x.permute(0, 3, 2, 1).flatten(1)))
        landmarks = x[:, :0] if self.landmarks is None else self.landmarks(x)
        return self.face(x).softmax(1)[:, 1], self.box(x), landmarks


class RefinementNetwork(_CropNetwork):
    """R-Net: crops of 24 by 24 pixels."""

    def __init__(self) -> None:
        trunk = _convolutions((3, 28, 3, 3), (28, 48, 3, 3), (48, 64, 2, None))
        super().__init__(trunk, 576, 128, landmarks=False)


class OutputNetwork(_CropNetwork):
    """O-Net: crops of 48 by 48 pixels, with landmarks."""

    def __init__(self) -> None:
        trunk = _convolutions((3, 32, 3, 3), (32, 64, 3, 3), (64, 64, 3, 2), (64, 128, 2, None))
        super().__init__(trunk, 1152, 256, landmarks=True)


@cache
def networks() -> tuple[Network, Network, Network]:
    """P-Net, R-Net and O-Net, with the weights of the `mtcnn` package.

    Each takes images (B, H, W, 3) float32 and gives what its class says as arrays: the probability
    of a face, box corrections and, but for P-Net, landmarks.

    Raises:
        AffuseError: When that package is not installed or its weights have other shapes.
    """
    return (
        _runs(_load(ProposalNetwork(), "pnet")),
        _runs(_load(RefinementNetwork(), "rnet")),
        _runs(_load(OutputNetwork(), "onet")),
    )


def _load(network: N, name: str) -> N:
    """Fill a network from arrays that stand in the order of its parameters."""
    parameters = list(network.parameters())
    arrays = mtcnn_weights(name, len(parameters))
    with torch.no_grad():
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.copy_(torch.from_numpy(array).reshape(parameter.shape))
    return network.eval().requires_grad_(False)


def _runs(network: nn.Module) -> Network:
    """A network on arrays."""

    @torch.inference_mode()
    def run(images: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(x.numpy() for x in network(torch.from_numpy(images).permute(0, 3, 1, 2)))

    return run
