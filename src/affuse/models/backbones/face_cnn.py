"""A compact network for small images of faces, made for training on a CPU."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from affuse.models.layers.batch_norm import BatchNorm2d


class FaceCNN(nn.Module):
    """Four strided convolutions and the mean over what is left of the image.

    Args:
        width: Channels of the first layer; the features have six times as many.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.outputs = 6 * width
        channels = (3, width, 2 * width, 4 * width, 6 * width)
        self.layers = nn.Sequential()
        for inputs, outputs in pairwise(channels):
            self.layers.append(nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False))
            self.layers.append(BatchNorm2d(outputs))
            self.layers.append(nn.ReLU(inplace=True))

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W), sides of at least 17 pixels -> (N, 6 * width)."""
        return self.layers(images.contiguous(memory_format=torch.channels_last)).mean((2, 3))
