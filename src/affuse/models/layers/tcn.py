"""A temporal convolutional network that sees the past alone (Bai, Kolter and Koltun, 2018)."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from affuse.models.layers.temporal import TemporalStack

SLOPE = 0.01  # of the leaky ReLUs


class CausalBlock(nn.Module):
    """Two causal convolutions with weight normalisation, and a shortcut.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        kernel: Frames that a convolution looks at.
        dilation: Frames between these.
        dropout: Probability of dropping a channel of a whole clip in training.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        self.past = (kernel - 1) * dilation
        self.conv1 = weight_norm(nn.Conv1d(inputs, outputs, kernel, dilation=dilation))
        self.conv2 = weight_norm(nn.Conv1d(outputs, outputs, kernel, dilation=dilation))
        self.dropout = nn.Dropout1d(dropout)
        self.shortcut: nn.Module = nn.Identity()
        if inputs != outputs:
            self.shortcut = nn.Conv1d(inputs, outputs, 1)
            nn.init.xavier_uniform_(self.shortcut.weight, gain=math.sqrt(2))

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) and (B, T) -> the same length, absent frames zero."""
        present = mask.unsqueeze(1)
        y = x
        for conv in (self.conv1, self.conv2):
            y = self.dropout(F.leaky_relu(conv(F.pad(y, (self.past, 0))), SLOPE)) * present
        return F.leaky_relu(y + self.shortcut(x), SLOPE) * present, mask


def causal_network(
    inputs: int, channels: tuple[int, ...], kernel: int, dropout: float
) -> TemporalStack:
    """Causal blocks, each dilated twice as much as the one before.

    With four blocks and a kernel of 5 frames an output frame sees itself and the 120 before it.

    Args:
        inputs: Channels in.
        channels: Channels out of every block.
        kernel: Frames that a convolution looks at.
        dropout: Probability of dropping a channel of a whole clip in training.
    """
    sizes = enumerate(pairwise((inputs, *channels)))
    return TemporalStack(*(CausalBlock(a, b, kernel, 2**i, dropout) for i, (a, b) in sizes))
