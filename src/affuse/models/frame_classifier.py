"""Classifiers of single images, applied to a face over time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model, Output
from affuse.models.layers.alignment import Clock
from affuse.models.layers.framewise import FrameNetwork, present_features


class FrameClassifier(Model):
    """A network on every picture and a linear layer; class scores are their mean over time.

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
        features = present_features(self.backbone, self.fit(batch.streams[spec.name]), mask)
        # The mean of linear scores is the score of the mean.
        pooled, present = self.over_time(features, mask, Clock(spec.name, spec.rate), batch)
        return self.answer(self.classifier(pooled), present)

    @abstractmethod
    def fit(self, x: Tensor) -> Tensor:
        """(B, T, 3, H, W) -> pictures of the size that the network takes."""
