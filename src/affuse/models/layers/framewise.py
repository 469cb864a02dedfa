"""Networks that see one frame at a time, applied to the frames of a series that are present."""

from __future__ import annotations

from typing import Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from affuse.models.applied import CHUNK
from affuse.models.backbones.efficientface import EfficientFace
from affuse.models.backbones.face_cnn import FaceCNN
from affuse.models.backbones.face_resnet import FaceResNet
from affuse.models.backbones.ir50 import IR50
from affuse.models.backbones.vggish import VGGish
from affuse.models.layers.dropout import Dropout
from affuse.models.layers.joint_norm import counted, counted_rows
from affuse.models.layers.temporal import TemporalStack

FrameNetwork = EfficientFace | FaceCNN | FaceResNet | IR50 | VGGish


class FrameFeatures(nn.Module):
    """A network on every present frame, then temporal blocks.

    Args:
        net: (N, ...) -> (N, F).
        blocks: Temporal blocks.
        frozen: Keep the network as it is: no gradients, and evaluation mode in training too.
    """

    def __init__(self, net: FrameNetwork, *blocks: nn.Module, frozen: bool = False) -> None:
        super().__init__()
        self.net = net
        self.temporal = TemporalStack(*blocks)
        self.frozen = frozen
        if frozen:
            net.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Self:
        """Switch the mode of everything that is not frozen."""
        super().train(mode)
        if self.frozen:
            self.net.eval()
        return self

    def forward(
        self, x: Tensor, mask: Tensor, alike: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, T, ...), (B, T) and `Batch.alike` -> (B, T, C) and (B, T)."""
        return self.temporal(present_features(self.net, x, mask, alike), mask)


def present_features(
    net: FrameNetwork, x: Tensor, mask: Tensor, alike: Tensor | None = None
) -> Tensor:
    """Features of the frames that are present; zero for the others.

    What several clips have alike is computed once, and counts as often as it is there.

    Args:
        net: (N, ...) -> (N, F).
        x: (B, T, ...); images are (B, T, 3, H, W). Or (B, T, F), what `net` made of the frames:
            it is handed on.
        mask: (B, T) bool.
        alike: (B, T) int64, see `Batch.alike`.

    Returns:
        (B, T, F).
    """
    if is_embedded(x):
        return x * mask.unsqueeze(-1)
    if torch.compiler.is_exporting():  # a graph has no rows that depend on values
        dense: Tensor = net(x.flatten(0, 1))
        return dense.unflatten(0, mask.shape) * mask.unsqueeze(-1)
    if not (counted(net, int(mask.sum())) if net.training else mask.any()):
        return x.new_zeros(*mask.shape, net.outputs)
    if alike is None or _draws(net):
        rows = _rows(net, _picked(x, mask))
    else:
        rows = _rows_of_distinct(net, x, mask, alike)
    return rows.new_zeros(*mask.shape, net.outputs).index_put((mask,), rows)


def _picked(x: Tensor, which: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """Frames (N, ...) of (B, T, ...); images with their channels last, as they lie in memory."""
    return x.movedim(2, -1)[which].movedim(-1, 1) if x.ndim == 5 else x[which]


def _rows(net: FrameNetwork, frames: Tensor) -> Tensor:
    """Features (N, F) of frames (N, ...)."""
    # Training needs the batch statistics of all frames at once.
    chunk = CHUNK if frames.device.type == "cpu" and not net.training else max(len(frames), 1)
    return torch.cat([net(part) for part in frames.split(chunk)])


def _rows_of_distinct(net: FrameNetwork, x: Tensor, mask: Tensor, alike: Tensor) -> Tensor:
    """Features (N, F) of the frames that are present, each distinct one computed once."""
    distinct, place, counts = torch.unique(alike[mask], return_inverse=True, return_counts=True)
    counts, order = counts.sort(stable=True)
    numbers = distinct[order]
    frames = _picked(x, (numbers // mask.shape[1], numbers % mask.shape[1]))
    if net.training and len(distinct) < len(place):
        with counted_rows(counts):
            rows = _rows(net, frames)
    else:
        rows = _rows(net, frames)
    return rows[order.argsort()[place]]


def _draws(net: nn.Module) -> bool:
    """Whether equal frames can have different features: dropout draws for each."""
    return any(isinstance(m, _DropoutNd) and m.training and m.p > 0 for m in net.modules())


def is_embedded(x: Tensor) -> bool:
    """Whether a series holds what a network made of its frames: one vector (B, T, F) of each.

    Frames that networks read are images (B, T, 3, H, W) or spectrograms (B, T, L, bands).
    """
    return x.ndim == 3


class FrameEmbedder(Protocol):
    """A part of a model that sees the frames of a stream one by one."""

    @property
    def frame_features(self) -> int | None:
        """Values F that it makes of a frame; None where nothing sees one by itself."""
        ...

    def embed_frames(self, frames: Tensor) -> Tensor:
        """Normalised frames (N, ...) -> (N, F); the model takes these in place of the frames."""
        ...


class DenseFrames(nn.Module):
    """Dropout, linear layer and ReLU on every frame.

    Args:
        inputs: Values per frame.
        outputs: Units.
        dropout: Probability of dropping an input in training.
    """

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(Dropout(dropout), nn.Linear(inputs, outputs), nn.ReLU())

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, inputs) and (B, T) -> (B, T, outputs), absent frames zero, and the mask."""
        return self.layers(x) * mask.unsqueeze(-1), mask
