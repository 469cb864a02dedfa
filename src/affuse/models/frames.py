"""A classifier of single pictures, applied to a face over time."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones.efficientface import FEATURES, SIZE, EfficientFace
from affuse.models.base import Model, Output
from affuse.models.frontends import present_features
from affuse.models.layers.pooling import masked_mean


class EfficientFaceFrames(Model):
    """`efficientface`: EfficientFace on every frame; the mean of its class scores.

    Args:
        streams: Streams, of which the first of video is read: pictures of 224 x 224 pixels.
        outputs: Number of classes C or of dimensions D.
    """

    def __init__(self, streams: Mapping[str, StreamSpec], outputs: int) -> None:
        super().__init__(streams, outputs)
        spec = self.stream_of("video")
        if spec.shape != (SIZE, SIZE, 3):
            raise AffuseError(f"efficientface reads pictures of 224 x 224 pixels, not {spec.shape}")
        self.streams = {spec.name: spec}
        self.backbone = EfficientFace()
        self.classifier = nn.Linear(FEATURES, outputs)

    def forward(self, batch: Batch) -> Output:
        """Class scores; the bias alone where the face is never seen."""
        (name,) = self.streams
        mask = batch.masks[name]
        features = present_features(self.backbone, batch.streams[name], mask)
        # The mean of linear scores is the score of the mean.
        return Output(self.classifier(masked_mean(features, mask)))
