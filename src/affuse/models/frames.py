"""Classifiers of single pictures, applied to a face over time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones import efficientface, ir50
from affuse.models.base import Head, Model, Output
from affuse.models.frontends import check_picture
from affuse.models.layers.alignment import Clock
from affuse.models.layers.framewise import FrameNetwork, present_features


class FrameClassifier(Model):
    """A network on every picture and a linear layer; class scores are their mean over time.

    Args:
        streams: Streams, of which the first of video is read: pictures of `size` pixels.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        backbone: The network.
    """

    size: ClassVar[int]

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        head: Head,
        backbone: FrameNetwork,
    ) -> None:
        super().__init__(streams, outputs, head)
        spec = self.stream_of("video")
        check_picture(spec, self.size, type(backbone).__name__)
        self.streams = {spec.name: spec}
        self.backbone = backbone
        self.classifier = nn.Linear(backbone.outputs, outputs)

    def forward(self, batch: Batch) -> Output:
        """Scores; the bias alone where the face is never seen."""
        (spec,) = self.streams.values()
        mask = batch.masks[spec.name]
        features = present_features(self.backbone, batch.streams[spec.name], mask)
        # The mean of linear scores is the score of the mean.
        pooled, present = self.over_time(features, mask, Clock(spec.name, spec.rate), batch)
        return self.answer(self.classifier(pooled), present)


class EfficientFaceFrames(FrameClassifier):
    """`efficientface`: EfficientFace on every picture of 224 x 224 pixels.

    Args:
        streams: Streams, of which the first of video is read.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
    """

    size = efficientface.SIZE

    def __init__(
        self, streams: Mapping[str, StreamSpec], outputs: int, *, head: Head = "classes"
    ) -> None:
        super().__init__(streams, outputs, head, efficientface.EfficientFace())


class IR50Frames(FrameClassifier):
    """`ir50`: IR-50 on every picture of 40 x 40 pixels.

    Args:
        streams: Streams, of which the first of video is read.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        squeeze_excitation: Whether the units of the network have gates (the variant IR-SE-50).
    """

    size = ir50.SIZE

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__(streams, outputs, head, ir50.IR50(squeeze_excitation))
