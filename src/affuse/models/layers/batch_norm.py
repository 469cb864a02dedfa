"""Batch normalisation of maps whose statistics are accurate in any memory layout."""

from __future__ import annotations

from torch import Tensor, nn

from affuse.models.layers.channel_statistics import needs_care
from affuse.models.layers.joint_norm import joins, joint_norm


class BatchNorm2d(nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, accurate for channels-last maps on a CPU too.

    Within `counted_rows` it counts each row as often as that says.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and layout."""
        own = _normalise(self, input) if self.training else None
        return super().forward(input) if own is None else own


class BatchNorm3d(nn.BatchNorm3d):
    """`torch.nn.BatchNorm3d`, as `BatchNorm2d`."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and layout."""
        own = _normalise(self, input) if self.training else None
        return super().forward(input) if own is None else own


def _normalise(norm: nn.BatchNorm2d | nn.BatchNorm3d, x: Tensor) -> Tensor | None:
    """What a layer gives in training where torch's own is not enough."""
    return joint_norm(norm, x) if joins(norm) or needs_care(x) else None
