"""Classifiers of single images, applied to a face over time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model, Output
from affuse.models.layers.alignment import Clock
from affuse.models.layers.framewise import (
    FrameEmbedder,
    FrameNetwork,
    is_embedded,
    present_features,
)


class FrameClassifier(Model):
    """A network on every image and a linear layer; class scores are their mean over time.

    Args:
        streams: Streams, of which the first of video is read.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        backbone: The network.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        head: Head,
        backbone: FrameNetwork,
    ) -> None:
        super().__init__(streams, outputs, head)
        spec = self.stream_of("video")
        self.streams = {spec.name: spec}
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.outputs, outputs)

    def forward(self, batch: Batch) -> Output:
        """Scores; the bias alone where the face is never seen."""
        (spec,) = self.streams.values()
        mask = batch.masks[spec.name]
        x = batch.streams[spec.name]
        features = present_features(self.backbone, x if is_embedded(x) else self.fit(x), mask)
        # The mean of linear scores is the score of the mean.
        pooled, present = self.over_time(features, mask, Clock(spec.name, spec.rate), batch)
        return self.answer(self.classifier(pooled), present)

    @property
    def frame_features(self) -> int:
        """Values that the network makes of an image."""
        return self.backbone.outputs

    def embed_frames(self, frames: Tensor) -> Tensor:
        """Images (N, 3, H, W) -> (N, F)."""
        rows: Tensor = self.backbone(self.fit(frames.unsqueeze(0))[0])
        return rows

    def frame_embedders(self) -> dict[str, FrameEmbedder]:
        """Itself, of the stream that it reads; see `Model.frame_embedders`."""
        return dict.fromkeys(self.streams, self)

    @abstractmethod
    def fit(self, x: Tensor) -> Tensor:
        """(B, T, 3, H, W) -> images of the size that the network takes."""
