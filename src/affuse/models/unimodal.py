"""One modality alone: the yardstick that a fusion has to beat."""

from __future__ import annotations

from collections.abc import Mapping

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model, Output
from affuse.models.branch import Branch
from affuse.models.frontends import FrontEndChoice
from affuse.models.layers.pooling import Pooling


class AudioOnly(Model):
    """`audio-only`.

    Args:
        streams: Streams, of which the first of audio is read.
        classes: Number of classes C.
        audio: Front-end of the stream; None for the one that suits it.
        pooling: How time is pooled: `mean`, or `attention-max` (a learned mean and the maximum).
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        *,
        audio: FrontEndChoice = None,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, classes)
        spec = self.stream_of("audio")
        self.streams = {spec.name: spec}
        self.audio = Branch(spec, classes, audio, pooling, dropout)

    def forward(self, batch: Batch) -> Output:
        """Class scores; the bias alone where there is no sound."""
        return Output(self.audio(batch))


class VideoOnly(Model):
    """`video-only`.

    Args:
        streams: Streams, of which the first of video is read.
        classes: Number of classes C.
        video: Front-end of the stream; None for the one that suits it.
        pooling: How time is pooled: `mean`, or `attention-max` (a learned mean and the maximum).
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        *,
        video: FrontEndChoice = None,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, classes)
        spec = self.stream_of("video")
        self.streams = {spec.name: spec}
        self.video = Branch(spec, classes, video, pooling, dropout)

    def forward(self, batch: Batch) -> Output:
        """Class scores; the bias alone where no face is seen."""
        return Output(self.video(batch))
