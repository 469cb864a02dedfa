"""The two networks of TSAV: one for spectrograms, one for short clips of faces.

Kuhnke, Rumberg and Ostermann, Two-stream aural-visual affect analysis in the wild, FG 2020. Both
are residual networks with 18 layers: the ResNet of He et al. (CVPR 2016) with one input channel,
and R(2+1)D of Tran et al. (CVPR 2018), whose convolutions over space and over time are separate.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.batch_norm import BatchNorm2d, BatchNorm3d

FEATURES = 512
MELS = 64

#: Channels of the four stages of two units; all stages but the first halve the map.
STAGES = (64, 128, 256, 512)


class ResidualUnit(nn.Module):
    """The positive part of a map and of what layers make of it, summed.

    Args:
        residual: The layers.
        shortcut: What gives the map the shape of their result.
    """

    def __init__(self, residual: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, ...) -> (N, outputs, ...)."""
        return F.relu(self.residual(x) + self.shortcut(x), inplace=True)


def spectrogram_unit(inputs: int, outputs: int, stride: int) -> ResidualUnit:
    """A unit of two convolutions over time and frequency."""
    residual = nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
        nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
        BatchNorm2d(outputs),
    )
    if inputs == outputs:
        return ResidualUnit(residual, nn.Identity())
    conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    return ResidualUnit(residual, nn.Sequential(conv, BatchNorm2d(outputs)))


class SpaceConv(nn.Conv3d):
    """A convolution of every image by itself, two-dimensional, which is faster on a CPU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Odd kernel width in pixels.
        stride: In pixels.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        pad = kernel // 2
        size, steps = (1, kernel, kernel), (1, stride, stride)
        super().__init__(inputs, outputs, size, steps, (0, pad, pad), bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, T, H, W) -> (N, outputs, T, H / stride, W / stride)."""
        pictures = input.transpose(1, 2).flatten(0, 1)
        pad = self.kernel_size[1] // 2
        maps = F.conv2d(pictures, self.weight.squeeze(2), stride=self.stride[1], padding=pad)
        return maps.unflatten(0, (input.shape[0], input.shape[2])).transpose(1, 2)


class TimeConv(nn.Conv3d):
    """A convolution of every pixel over three frames, in the same way.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: In frames.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, (3, 1, 1), (stride, 1, 1), (1, 0, 0), bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """(N, inputs, T, H, W) -> (N, outputs, T / stride, H, W)."""
        weight, stride = self.weight.squeeze(4), (self.stride[0], 1)
        maps = F.conv2d(input.flatten(3), weight, stride=stride, padding=(1, 0))
        return maps.unflatten(3, input.shape[3:])


def space_time(
    inputs: int, hidden: int, outputs: int, kernel: int, stride: tuple[int, int]
) -> list[nn.Module]:
    """A convolution over space and one over time, each with its normalisation and ReLU.

    Args:
        inputs: Channels in.
        hidden: Channels in between.
        outputs: Channels out.
        kernel: Odd kernel width in pixels.
        stride: In pixels and in frames.
    """
    return [
        SpaceConv(inputs, hidden, kernel, stride[0]),
        BatchNorm3d(hidden),
        nn.ReLU(inplace=True),
        TimeConv(hidden, outputs, stride[1]),
        BatchNorm3d(outputs),
        nn.ReLU(inplace=True),
    ]


def clip_unit(inputs: int, outputs: int, stride: int) -> ResidualUnit:
    """A unit of two pairs of convolutions over space and time."""
    # As many weights as one 3 x 3 x 3 convolution would have; the second pair keeps the width.
    hidden = 27 * inputs * outputs // (9 * inputs + 3 * outputs)
    first = space_time(inputs, hidden, outputs, 3, (stride, stride))
    second = space_time(outputs, hidden, outputs, 3, (1, 1))
    residual = nn.Sequential(*first, *second[:-1])
    if inputs == outputs:
        return ResidualUnit(residual, nn.Identity())
    conv = nn.Conv3d(inputs, outputs, 1, stride, bias=False)
    return ResidualUnit(residual, nn.Sequential(conv, BatchNorm3d(outputs)))


def stages(unit: Callable[[int, int, int], ResidualUnit]) -> list[nn.Sequential]:
    """The four stages of a network."""
    inputs, result = STAGES[0], []
    for outputs in STAGES:
        first = unit(inputs, outputs, 1 if inputs == outputs else 2)
        result.append(nn.Sequential(first, unit(outputs, outputs, 1)))
        inputs = outputs
    return result


class SpectrogramResNet(nn.Module):
    """Spectrograms to feature vectors."""

    outputs = FEATURES

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, STAGES[0], 7, 2, 3, bias=False),
            BatchNorm2d(STAGES[0]),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, 1),
        )
        self.layer1, self.layer2, self.layer3, self.layer4 = stages(spectrogram_unit)

    def forward(self, spectrograms: Tensor) -> Tensor:
        """Feature vectors.

        Args:
            spectrograms: (N, 1, 64, T) float, normalised log-mel (frequency, time) at 100 Hz, of
                any length.

        Returns:
            (N, 512), not negative.

        Raises:
            ValueError: The spectrograms have another number of channels or bands.
        """
        shape = tuple(spectrograms.shape)
        if len(shape) != 4 or shape[1:3] != (1, MELS):
            raise ValueError(f"SpectrogramResNet takes spectrograms (N, 1, 64, T), not {shape}")
        # With the strides of channels-last, a fifth faster on a CPU than with those of one channel.
        x = self.stem(spectrograms.squeeze(1).unsqueeze(3).movedim(3, 1))
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


class R2Plus1D(nn.Module):
    """Clips to feature vectors, or to feature maps.

    Args:
        channels: Channels of the images: 3, or 4 with a mask of the face after RGB.
        pooled: Whether to return the mean over time and space.
    """

    outputs = FEATURES

    def __init__(self, channels: int = 3, pooled: bool = True) -> None:
        super().__init__()
        self.channels = channels
        self.pooled = pooled
        self.stem = nn.Sequential(*space_time(channels, 45, STAGES[0], 7, (2, 1)))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages(clip_unit)

    def forward(self, clips: Tensor) -> Tensor:
        """Feature vectors or maps.

        Args:
            clips: (N, C, T, H, W) float, normalised images; published for T = 8 and 112 x 112
                pixels.

        Returns:
            (N, 512), not negative; or, not pooled, (N, 512, H / 16, W / 16), rounded up.

        Raises:
            ValueError: The images have another number of channels, or there are more than the 8
                of which the network makes one map.
        """
        shape = tuple(clips.shape)
        if len(shape) != 5 or shape[1] != self.channels:
            raise ValueError(f"R2Plus1D takes clips (N, {self.channels}, T, H, W), not {shape}")
        if not self.pooled and shape[2] > 8:
            raise ValueError(f"R2Plus1D makes one map of at most 8 images, not of {shape[2]}")
        # Channels last, the two kinds of convolution see the same memory without a copy.
        x = self.stem(clips.contiguous(memory_format=torch.channels_last_3d))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return x.mean((2, 3, 4)) if self.pooled else x.squeeze(2)
