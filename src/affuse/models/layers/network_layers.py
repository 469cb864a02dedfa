"""Frames of features from what every layer of a frozen network makes of each."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.backbones.whisper import Layer
from affuse.models.layers.dropout import Dropout

#: How layers are joined: `each` has a dense layer of its own, and these are summed; or there is one
#: dense layer on a learned `mean` of them (Yang et al. 2021, SUPERB); or they lie `side-by-side`,
#: without a dense layer.
Joined = Literal["each", "mean", "side-by-side"]


class NetworkLayers(nn.Module):
    """Joins the layers of a network; fewer frames come out.

    The features of every layer are standardised within a frame first, for those of later layers are
    larger.

    Args:
        layers: How many there are.
        inputs: Values of each per frame.
        width: Units of the dense layer.
        joined: See `Joined`.
        stride: Frames of which one is made, the mean of those that are present.
        dropout: Probability of dropping a value before the dense layer in training.
        tuned: Layers of Whisper that follow, each of which adds what it makes of the frames that
            are present; they learn with the rest.

    Attributes:
        outputs: Values of a frame that come out.
    """

    def __init__(
        self,
        layers: int,
        inputs: int,
        width: int,
        joined: Joined,
        stride: int,
        dropout: float,
        tuned: int = 0,
    ) -> None:
        super().__init__()
        self.tuned = nn.ModuleList(Layer(inputs) for _ in range(tuned))
        layers += tuned
        self.weights = nn.Parameter(torch.zeros(layers)) if joined == "mean" else None
        self.stride, self.dropout = stride, Dropout(dropout)
        values = inputs if joined == "mean" else layers * inputs
        self.dense = None if joined == "side-by-side" else nn.Linear(values, width)
        self.outputs = values if self.dense is None else width

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, layers, inputs) and (B, T) -> (B, ceil(T / stride), `outputs`) and its mask."""
        if self.tuned:
            x = self._followed(x, mask)
        x = F.layer_norm(x, x.shape[-1:])
        if self.weights is None:
            x = x.flatten(2)
        else:
            x = torch.einsum("btlc,l->btc", x, self.weights.softmax(0).to(x.dtype))
        x, mask = averaged(x, mask, self.stride)
        x = self.dropout(x)
        if self.dense is not None:
            x = F.relu(self.dense(x))
        return x * mask.unsqueeze(-1), mask

    def _followed(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, layers, inputs) with what the tuned layers make of the last one behind it."""
        seen = mask | ~mask.any(1, keepdim=True)  # attention needs something to look at
        states = [*x.unbind(2)]
        for layer in self.tuned:
            states.append(layer(states[-1], seen))
        return torch.stack(states, 2)


def averaged(x: Tensor, mask: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Means of frames (B, T, C) that follow each other and are present (B, T).

    Args:
        x: The frames.
        mask: Where they are present.
        stride: How many make one.

    Returns:
        (B, ceil(T / stride), C), zero where none is, and (B, ceil(T / stride)).
    """
    if stride == 1:
        return x, mask
    length = (x.shape[1] + stride - 1) // stride
    if torch.compiler.is_exporting() or length * stride > x.shape[1]:
        left_over = length * stride - x.shape[1]
        x, mask = F.pad(x, (0, 0, 0, left_over)), F.pad(mask, (0, left_over))
    there = mask.unflatten(1, (length, stride))
    count = there.sum(2)
    weights = there / count.clamp(min=1).unsqueeze(-1)
    means = weights.to(x.dtype).unsqueeze(2) @ x.unflatten(1, (length, stride))
    return means.squeeze(2), count > 0
