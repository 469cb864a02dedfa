"""One stream to a vector and to what it says alone: what the simple fusions are made of."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model
from affuse.models.frontends import FrontEndChoice, build_frontend
from affuse.models.layers.pooling import Pooling, build_pool


class Branch(nn.Module):
    """Front-end, pooling over time, linear layer.

    Args:
        spec: The stream that it reads.
        classes: Number of classes C.
        frontend: Front-end of the stream; None for the one that suits it.
        pooling: How time is pooled.
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        spec: StreamSpec,
        classes: int,
        frontend: FrontEndChoice,
        pooling: Pooling,
        dropout: float,
    ) -> None:
        super().__init__()
        self.stream = spec.name
        self.frontend = build_frontend(spec, frontend)
        self.pool, self.width = build_pool(pooling, self.frontend.channels[1])
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(self.width, classes)

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pooled features (B, width), zero where nothing is present, and presence (B, 1) bool."""
        x, mask = self.frontend(batch.streams[self.stream], batch.masks[self.stream])
        return self.dropout(self.pool(x, mask)), mask.any(1, keepdim=True)

    def forward(self, batch: Batch) -> Tensor:
        """Class scores (B, C); the bias alone where nothing is present."""
        features, _ = self.embed(batch)
        return self.classifier(features)


class TwoBranches(Model):
    """What the simple fusions of two modalities share.

    Args:
        streams: An audio and a video stream.
        classes: Number of classes C.
        audio: Front-end of the audio stream; None for the one that suits it.
        video: Front-end of the video stream; None for the one that suits it.
        pooling: How time is pooled: `mean`, or `attention-max` (a learned mean and the maximum).
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        *,
        audio: FrontEndChoice = None,
        video: FrontEndChoice = None,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, classes)
        sound, picture = self.stream_of("audio"), self.stream_of("video")
        self.streams = {spec.name: spec for spec in (sound, picture)}
        self.audio = Branch(sound, classes, audio, pooling, dropout)
        self.video = Branch(picture, classes, video, pooling, dropout)
