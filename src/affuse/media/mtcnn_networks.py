"""The three networks of MTCNN, with the published weights."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from affuse.errors import AffuseError

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
def networks() -> tuple[ProposalNetwork, RefinementNetwork, OutputNetwork]:
    """P-Net, R-Net and O-Net in evaluation mode, with the weights of the `mtcnn` package.

    Raises:
        AffuseError: When that package is not installed or its weights have other shapes.
    """
    return (
        _load(ProposalNetwork(), "pnet"),
        _load(RefinementNetwork(), "rnet"),
        _load(OutputNetwork(), "onet"),
    )


def _load(network: N, name: str) -> N:
    """Fill a network from a list of arrays that stand in the order of its parameters."""
    import joblib

    # found without importing it: the package itself needs TensorFlow
    package = importlib.util.find_spec("mtcnn")
    if package is None or package.origin is None:
        raise AffuseError(
            "MTCNN needs the weights in the Python package 'mtcnn' (pip install mtcnn)"
        )
    arrays = joblib.load(Path(package.origin).parent / "assets" / "weights" / f"{name}.lz4")
    parameters = list(network.parameters())
    if len(arrays) != len(parameters):
        raise AffuseError(f"the installed package 'mtcnn' has an unknown layout of {name}")
    with torch.no_grad():
        for parameter, array in zip(parameters, arrays, strict=True):
            parameter.copy_(torch.from_numpy(_to_torch_layout(array)).reshape(parameter.shape))
    return network.eval().requires_grad_(False)


def _to_torch_layout(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:  # height, width, in, out
        return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
    return np.ascontiguousarray(array.T) if array.ndim == 2 else array
