"""The modalities' pooled features side by side, joined by a small network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model, Output
from affuse.models.branch import Branch
from affuse.models.frontends import FrontEndChoice
from affuse.models.layers.pooling import Pooling


class Concatenation(Model):
    """`concat`: features of both modalities, joined by two linear layers.

    `Output.auxiliary` holds what each modality says alone (`audio`, `video`).

    Args:
        streams: An audio and a video stream.
        classes: Number of classes C.
        audio: Front-end of the audio stream; None for the one that suits it.
        video: Front-end of the video stream; None for the one that suits it.
        pooling: How time is pooled: `mean`, or `attention-max` (a learned mean and the maximum).
        hidden: Units between the two linear layers.
        dropout: Probability of dropping a pooled feature or a hidden unit in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        *,
        audio: FrontEndChoice = None,
        video: FrontEndChoice = None,
        pooling: Pooling = "mean",
        hidden: int = 128,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(streams, classes)
        sound, picture = self.stream_of("audio"), self.stream_of("video")
        self.streams = {spec.name: spec for spec in (sound, picture)}
        self.audio = Branch(sound, classes, audio, pooling, dropout)
        self.video = Branch(picture, classes, video, pooling, dropout)
        self.no_audio = nn.Parameter(torch.zeros(self.audio.width))
        self.no_video = nn.Parameter(torch.zeros(self.video.width))
        self.joint = nn.Sequential(
            nn.Linear(self.audio.width + self.video.width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )

    def forward(self, batch: Batch) -> Output:
        """Class scores; learned features stand for an absent modality."""
        audio, heard = self.audio.embed(batch)
        video, seen = self.video.embed(batch)
        joined = torch.cat(
            (torch.where(heard, audio, self.no_audio), torch.where(seen, video, self.no_video)), -1
        )
        says = {"audio": self.audio.classifier(audio), "video": self.video.classifier(video)}
        return Output(self.joint(joined), says)
