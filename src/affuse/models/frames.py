"""Classifiers of single pictures, applied to a face over time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import interpolate

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones import efficientface, ir50
from affuse.models.base import Head, Model, Output
from affuse.models.frontends import check_small_picture
from affuse.models.layers.alignment import Clock
from affuse.models.layers.framewise import (
    FrameEmbedder,
    FrameNetwork,
    is_embedded,
    present_features,
)


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
        x = batch.streams[spec.name]
        features = present_features(self.backbone, x if is_embedded(x) else self.fit(x), mask)
        # The mean of linear scores is the score of the mean.
        pooled, present = self.over_time(features, mask, Clock(spec.name, spec.rate), batch)
        return self.answer(self.classifier(pooled), present)

    @property
    def frame_features(self) -> int:
        """Values that the network makes of a picture."""
        return self.backbone.outputs

    def embed_frames(self, frames: Tensor) -> Tensor:
        """Pictures (N, 3, H, W) -> (N, F)."""
        rows: Tensor = self.backbone(self.fit(frames.unsqueeze(0))[0])
        return rows

    def frame_embedders(self) -> dict[str, FrameEmbedder]:
        """Itself, of the stream that it reads; see `Model.frame_embedders`."""
        return dict.fromkeys(self.streams, self)

    @abstractmethod
    def fit(self, x: Tensor) -> Tensor:
        """(B, T, 3, H, W) -> pictures of the size that the network takes."""


class EfficientFaceFrames(FrameClassifier):
    """`efficientface`: EfficientFace on every picture.

    Args:
        streams: Streams, of which the first of video is read: square pictures.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        size: Pixels along a side to which pictures are brought, a multiple of 16; 224 as published.

    Raises:
        AffuseError: The stream holds no pictures, or the size is no multiple of 16.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        size: int = efficientface.SIZE,
    ) -> None:
        super().__init__(streams, outputs, head, efficientface.EfficientFace())
        spec = self.stream_of("video")
        if not spec.is_picture or spec.shape[0] != spec.shape[1]:
            raise AffuseError(
                f"efficientface reads square pictures; {spec.name} has frames {spec.shape}"
            )
        if size < 16 or size % 16:
            raise AffuseError(f"efficientface: size must be a multiple of 16, not {size}")
        self.size = size

    def fit(self, x: Tensor) -> Tensor:
        """Pictures scaled to the size."""
        if x.shape[-1] == self.size:
            return x
        mode = "area" if x.shape[-1] > self.size else "bilinear"
        scaled = interpolate(x.flatten(0, 1), (self.size, self.size), mode=mode)
        return scaled.unflatten(0, x.shape[:2])


class IR50Frames(FrameClassifier):
    """`ir50`: IR-50 on the middle of every picture.

    Args:
        streams: Streams, of which the first of video is read: pictures of 40 x 40 pixels, or up to
            48 as published.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        squeeze_excitation: Whether the units of the network have gates (the variant IR-SE-50).

    Raises:
        AffuseError: The stream holds no such pictures.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        squeeze_excitation: bool = False,
    ) -> None:
        super().__init__(streams, outputs, head, ir50.IR50(squeeze_excitation))
        check_small_picture(self.stream_of("video"))

    def fit(self, x: Tensor) -> Tensor:
        """Their middle."""
        return ir50.middle(x)
