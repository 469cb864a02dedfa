"""One modality alone: the yardstick that a fusion has to beat."""

from __future__ import annotations

from collections.abc import Mapping

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Output
from affuse.models.baselines.modality_encoder import EncoderModel, ModalityEncoder
from affuse.models.frontends.registry import FrontEndChoice
from affuse.models.layers.pooling import Pooling


class AudioOnly(EncoderModel):
    """`audio-only`.

    Args:
        streams: Streams, of which the first of audio is read, and `where`.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        audio: Front-end of the stream; None for the one that suits it.
        pooling: How time is pooled, one of `affuse.models.layers.pooling.POOLS`.
        dropout: Probability of dropping a pooled feature in training.
        where: Stream that says when sound is pooled, such as `audio/loud`; see `EncoderModel`.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        audio: FrontEndChoice = None,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
        where: str = "",
    ) -> None:
        super().__init__(streams, outputs, head, pooling, where)
        spec = self.stream_of("audio")
        self.streams = {name: self.streams[name] for name in (spec.name, where) if name}
        self.audio = ModalityEncoder(spec, outputs, audio, pooling, dropout)

    def forward(self, batch: Batch) -> Output:
        """Scores; the bias alone where there is no sound."""
        features, present = self.embed(self.audio, batch)
        return self.answer(self.audio.classifier(features), present)


class VideoOnly(EncoderModel):
    """`video-only`.

    Args:
        streams: Streams, of which the first of video is read.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        video: Front-end of the stream; None for the one that suits it.
        pooling: How time is pooled, one of `affuse.models.layers.pooling.POOLS`.
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        video: FrontEndChoice = None,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, outputs, head, pooling)
        spec = self.stream_of("video")
        self.streams = {spec.name: spec}
        self.video = ModalityEncoder(spec, outputs, video, pooling, dropout)

    def forward(self, batch: Batch) -> Output:
        """Scores; the bias alone where no face is seen."""
        features, present = self.embed(self.video, batch)
        return self.answer(self.video.classifier(features), present)
