"""A small residual network for small images of faces, fast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.batch_norm import BatchNorm2d

#: What red, green and blue count for in brightness (ITU-R BT.601).
_BRIGHTNESS = (0.299, 0.587, 0.114)


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: Of the first convolution.
    """

    folds = (("conv1", "norm1"), ("conv2", "norm2"))

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride > 1 or inputs != outputs:
            self.shortcut.append(nn.Conv2d(inputs, outputs, 1, stride, bias=False))
            self.shortcut.append(BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        inner = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(x))


class FaceResNet(nn.Module):
    """Brightness, one convolution, five residual blocks, the mean over what is left.

    Colours are not seen: what is trained on grey images reads coloured ones the same way.

    Args:
        width: Channels of the first layer; the features have four times as many.
        mirrored: Outside training, the mean of the features of an image and of its mirror image.
    """

    def __init__(self, width: int = 24, mirrored: bool = False) -> None:
        super().__init__()
        self.outputs, self.mirrored = 4 * width, mirrored
        self.stem = nn.Sequential(
            nn.Conv2d(1, width, 3, 1, 1, bias=False), BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(
            ResidualBlock(width, width, 2),
            ResidualBlock(width, 2 * width, 1),
            ResidualBlock(2 * width, 2 * width, 2),
            ResidualBlock(2 * width, 4 * width, 1),
            ResidualBlock(4 * width, 4 * width, 2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) with equal statistics of the colours, any size -> (N, 4 * width)."""
        weights = images.new_tensor(_BRIGHTNESS).reshape(1, 3, 1, 1)
        grey = (images * weights).sum(1, keepdim=True)
        features = self._features(grey)
        if self.mirrored and not self.training:
            features = (features + self._features(grey.flip(-1))) / 2
        return features

    def _features(self, grey: Tensor) -> Tensor:
        grey = grey.contiguous(memory_format=torch.channels_last)
        found: Tensor = self.blocks(self.stem(grey)).mean((2, 3))
        return found
