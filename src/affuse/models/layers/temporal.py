"""Convolutions over time that know which frames are present.

Inside, time series are (B, C, T) and masks (B, T); an absent frame is zero going in and coming
out, so that padding never changes a result.
"""

from __future__ import annotations

from functools import reduce

from torch import Tensor, nn
from torch.nn import functional as F


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
    if not norm.training:
        return norm(x.flatten(2)).view_as(x)
    frames = x.movedim(1, 2)
    present = int(mask.sum())
    if present * x.shape[3:].numel() < 2:
        flat = F.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
        )
        return flat
    if present == mask.numel():
        return norm(x.flatten(2)).view_as(x)
    result = x.new_zeros(frames.shape, dtype=x.dtype)
    result[mask] = norm(frames[mask]).to(x.dtype)
    return result.movedim(2, 1)


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
        x = F.relu(masked_norm(self.norm, self.conv(x), mask))
        return x * mask.unsqueeze(1), mask


class ValidConvBlock(nn.Module):
    """Convolution (width 3), batch normalisation, ReLU, maximum of neighbours; nothing is padded.

    An output frame is present if the whole window of `shrink + 1` frames that it sees is.

    Args:
        inputs: Channels in.
        outputs: Channels out.
    """

    shrink = 3

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, 3)
        self.norm = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) and (B, T) -> 3 frames fewer, absent frames zero."""
        mask = complete_windows(mask, 3)
        x = F.relu(masked_norm(self.norm, self.conv(x), mask))
        mask = complete_windows(mask, 2)
        return F.max_pool1d(x, 2, stride=1) * mask.unsqueeze(1), mask


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
