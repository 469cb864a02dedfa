"""Convolutions over time that know which frames are present.

Inside, time series are (B, C, T) and masks (B, T); an absent frame is zero going in and coming
out, so that padding never changes a result.
"""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.dropout import Dropout
from affuse.models.layers.joint_norm import counted, joins, joint_norm


def masked_norm(norm: nn.BatchNorm1d, x: Tensor, mask: Tensor) -> Tensor:
    """Batch normalisation whose training statistics count present frames alone.

    Where less than two values per channel are present, the running statistics are used and left
    as they are.

    Args:
        norm: The layer.
        x: (B, C, T) or (B, C, T, F).
        mask: (B, T) bool.

    Returns:
        The shape of `x`; absent frames hold no particular value.
    """
    present = int(mask.sum()) if norm.training else mask.numel()
    if norm.training and counted(norm, present) * x.shape[3:].numel() < 2:
        return F.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
    if present == mask.numel():
        return _accurate_norm(norm, x.flatten(2)).view_as(x)
    frames = x.movedim(2, 1)
    normed = _accurate_norm(norm, frames[mask])
    return normed.new_zeros(frames.shape).index_put((mask,), normed).movedim(1, 2)


def _accurate_norm(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """`norm` of (N, C) or (N, C, L).

    Columns of single values torch adds up in 32 bits one after the other; laid out as one series of
    N frames they are added up as accurately as series are.
    """
    if norm.training and joins(norm):
        return joint_norm(norm, x)
    if not norm.training or x.shape[2:].numel() > 1:
        return norm(x)
    return norm(x.flatten(1).T[None])[0].T.reshape(x.shape)


def masked_relu(x: Tensor, mask: Tensor) -> Tensor:
    """ReLU, zero where absent: (B, C, T, ...) and (B, T) -> the shape of `x`."""
    present = mask.unsqueeze(1)
    return F.relu(x) * (present.unsqueeze(-1) if x.ndim == 4 else present)


def complete_windows(mask: Tensor, width: int) -> Tensor:
    """Which windows of `width` frames are present as a whole: (B, T) -> (B, T - width + 1)."""
    count = mask.shape[1] - width + 1
    return reduce(Tensor.logical_and, (mask[:, i : i + count] for i in range(width)))


class ConvBlock(nn.Module):
    """Convolution that keeps the length, batch normalisation, ReLU.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Odd kernel width in frames.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) and (B, T) -> the same length, absent frames zero."""
        return masked_relu(masked_norm(self.norm, self.conv(x), mask), mask), mask


class ValidConvBlock(nn.Module):
    """Convolution (width 3), batch normalisation, ReLU, maximum of neighbours; nothing is padded.

    An output frame is present if the whole window of 4 frames that it sees is. A series shorter
    than that becomes one absent frame.

    Args:
        inputs: Channels in.
        outputs: Channels out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 3)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) and (B, T) -> 3 frames fewer, absent frames zero."""
        # An exported graph takes any length: absent frames at the end change nothing.
        short = 3 if torch.compiler.is_exporting() else 4 - mask.shape[1]
        if short > 0:
            x, mask = F.pad(x, (0, short)), F.pad(mask, (0, short))
        mask = complete_windows(mask, 3)
        x = masked_relu(masked_norm(self.norm, self.conv(x), mask), mask)
        mask = complete_windows(mask, 2)
        # in two dimensions: that of one cannot be exported for any length
        highest = F.max_pool2d(x.unsqueeze(2), (1, 2), 1).squeeze(2)
        return highest * mask.unsqueeze(1), mask


class SpectrogramBlock(nn.Module):
    """2-D convolution over time and frequency, batch normalisation, ReLU.

    Output frame t looks at input frames around `t * stride[0]` and is present where that one is.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        stride: Strides in time and in frequency.
        kernel: Odd kernel width in frames and in bands.
    """

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int], kernel: int = 3) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T, F) and (B, T) -> (B, C', T / stride, F / stride) and its mask."""
        mask = mask[:, :: self.stride[0]]
        return masked_relu(masked_norm(self.norm, self.conv(x), mask), mask), mask


class TemporalStack(nn.Module):
    """Temporal blocks one after another, on time-major series.

    Args:
        blocks: Modules (B, C, T), (B, T) -> the same.
    """

    def __init__(self, *blocks: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C) and (B, T) -> (B, T', C') and (B, T')."""
        x = x.transpose(1, 2)
        for block in self.blocks:
            x, mask = block(x, mask)
        return x.transpose(1, 2), mask


class SpectrogramFeatures(nn.Module):
    """2-D convolutions over a spectrogram; eight times fewer frames come out.

    Where a band lies is kept: the bands that are left are laid side by side as channels.

    Args:
        bands: Frequency bands.
        width: Channels of the first block.
        dropout: Probability of dropping a channel's value in training, before they are joined.
    """

    def __init__(self, bands: int, width: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            (
                SpectrogramBlock(1, width, (4, 2), kernel=5),
                SpectrogramBlock(width, 2 * width, (1, 2)),
                SpectrogramBlock(2 * width, 4 * width, (2, 2)),
                SpectrogramBlock(4 * width, 8 * width, (1, 2)),
            )
        )
        self.dropout = Dropout(dropout)
        self.join = ConvBlock(8 * width * -(-bands // 16), 8 * width, kernel=1)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, bands) and (B, T) -> (B, T / 8, 8 width) and its mask."""
        x = x.unsqueeze(1)
        for block in self.blocks:
            x, mask = block(x, mask)
        x, mask = self.join(self.dropout(x.transpose(2, 3).flatten(1, 2)), mask)
        return x.transpose(1, 2), mask
