"""One frame of features from what every layer of a frozen network makes of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class WeightedLayers(nn.Module):
    """A learned mean over the layers of a network, and a dense layer.

    The features of every layer are standardised within a frame first, for later layers are larger.
    The weights begin equal and sum to one (Yang et al. 2021, SUPERB).

    Args:
        layers: How many there are.
        inputs: Values of each per frame.
        outputs: Units.
        dropout: Probability of dropping a value of the mean in training.
    """

    def __init__(self, layers: int, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(layers))
        self.dense = nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, outputs), nn.ReLU())

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, layers, inputs) and (B, T) -> (B, T, outputs), zero where absent, and the mask."""
        alike = F.layer_norm(x, x.shape[-1:])
        mean = torch.einsum("btlc,l->btc", alike, self.weights.softmax(0).to(x.dtype))
        return self.dense(mean) * mask.unsqueeze(-1), mask
