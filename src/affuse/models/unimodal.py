"""One modality alone: the yardstick that a fusion has to beat."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model, Output
from affuse.models.frontends import FrontEndChoice, build_frontend
from affuse.models.layers.pooling import masked_mean


class Unimodal(Model):
    """Front-end, mean over time, linear layer.

    Args:
        streams: Streams, of which the first of the modality is read.
        classes: Number of classes C.
        modality: `audio` or `video`.
        frontend: Front-end of the stream; None for the one that suits it.
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        modality: str,
        frontend: FrontEndChoice,
        dropout: float,
    ) -> None:
        super().__init__(streams, classes)
        self.stream = self.stream_of(modality)
        self.streams = {self.stream.name: self.stream}
        self.frontend = build_frontend(self.stream, frontend)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.frontend.channels[1], classes)

    def forward(self, batch: Batch) -> Output:
        """Class scores; the bias alone where the modality is absent."""
        name = self.stream.name
        pooled = masked_mean(*self.frontend(batch.streams[name], batch.masks[name]))
        return Output(self.classifier(self.dropout(pooled)))


class AudioOnly(Unimodal):
    """`audio-only`.

    Args:
        streams: Streams, of which the first of audio is read.
        classes: Number of classes C.
        audio: Front-end of the stream; None for the one that suits it.
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        *,
        audio: FrontEndChoice = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, classes, "audio", audio, dropout)


class VideoOnly(Unimodal):
    """`video-only`.

    Args:
        streams: Streams, of which the first of video is read.
        classes: Number of classes C.
        video: Front-end of the stream; None for the one that suits it.
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        *,
        video: FrontEndChoice = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, classes, "video", video, dropout)
