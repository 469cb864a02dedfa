"""Late (decision) fusion: either modality decides, and the decisions are multiplied."""

from __future__ import annotations

from collections.abc import Mapping

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model, Output
from affuse.models.branch import Branch
from affuse.models.frontends import FrontEndChoice
from affuse.models.layers.pooling import Pooling


class LateFusion(Model):
    """`late`: the product of what the modalities say, an absent one saying nothing.

    `Output.auxiliary` holds what each modality says alone (`audio`, `video`).

    Args:
        streams: An audio and a video stream.
        classes: Number of classes C.
        audio: Front-end of the audio stream; None for the one that suits it.
        video: Front-end of the video stream; None for the one that suits it.
        pooling: How time is pooled: `mean`, or `attention-max` (a learned mean and the maximum).
        dropout: Probability of dropping a pooled feature in training.

    Source: Hinton, Products of experts, 1999, without a joint normalisation while training.
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

    def forward(self, batch: Batch) -> Output:
        """Sum of log-probabilities; all zero where nothing is present."""
        audio, heard = self.audio.embed(batch)
        video, seen = self.video.embed(batch)
        says = {"audio": self.audio.classifier(audio), "video": self.video.classifier(video)}
        return Output(
            says["audio"].float().log_softmax(-1) * heard
            + says["video"].float().log_softmax(-1) * seen,
            says,
        )
