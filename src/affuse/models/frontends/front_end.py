"""What a front-end is.

A fusion may sit after the first stage, after the second, or both, and so runs on any pair of
streams. Time series between the stages are (B, T, C) with a mask (B, T); absent frames are zero.
"""

from __future__ import annotations

from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.layers.alignment import Clock
from affuse.models.layers.framewise import FrameFeatures


class FrontEnd(nn.Module):
    """The contract of a front-end.

    Attributes:
        channels: Channels after the first and after the second stage.
        stride: Frames in per frame out.
        lead: Frames in before the one that the first frame out is about.
        clock: When the frames out are; set by `build_frontend`.
        stage1: (B, T, ...) and (B, T) bool -> (B, T1, C1) and (B, T1).
        stage2: (B, T1, C1) and (B, T1) -> (B, T2, C2) and (B, T2).
    """

    channels: tuple[int, int]
    stride: int = 1
    lead: int = 0
    clock: Clock
    stage1: nn.Module
    stage2: nn.Module

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Both stages: (B, T, ...) and (B, T) -> (B, T2, C2) and (B, T2).

        In place of the frames, x can be what `embed_frames` made of them, (B, T, F).
        """
        return self.stage2(*self.stage1(self.seen(x), mask))

    def read(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Both stages on its stream of a batch."""
        return self.stage2(*self.read_first(batch))

    def read_first(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The first stage on its stream of a batch: (B, T1, C1) and (B, T1)."""
        name = self.clock.stream
        x, mask = self.seen(batch.streams[name]), batch.masks[name]
        if isinstance(self.stage1, FrameFeatures):
            return self.stage1(x, mask, batch.alike.get(name))
        return self.stage1(x, mask)

    def seen(self, x: Tensor) -> Tensor:
        """What the first stage sees of frames (B, T, ...), or (N, ...): by default all."""
        return x

    @property
    def frame_features(self) -> int | None:
        """Values F that the first stage makes of every frame by itself; None where it does not."""
        return self.stage1.net.outputs if isinstance(self.stage1, FrameFeatures) else None

    def embed_frames(self, frames: Tensor) -> Tensor:
        """Normalised frames (N, ...) -> (N, F), each by itself.

        Raises:
            TypeError: No part of the front-end sees one frame at a time.
        """
        if not isinstance(self.stage1, FrameFeatures):
            raise TypeError(f"{type(self).__name__} sees no frame by itself")
        rows: Tensor = self.stage1.net(self.seen(frames))
        return rows


def vector_length(spec: StreamSpec, name: str) -> int:
    """Values per frame of a stream of vectors; an `AffuseError` for any other stream."""
    if not spec.is_flat:
        raise AffuseError(f"front-end {name} reads vectors; {spec.name} has frames {spec.shape}")
    return spec.shape[0]
