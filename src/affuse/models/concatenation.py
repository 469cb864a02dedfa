"""Late fusion in its simplest form: the modalities' mean features side by side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Model, Output
from affuse.models.frontends import FrontEndChoice, build_frontend
from affuse.models.layers.pooling import masked_mean


class Branch(nn.Module):
    """A front-end, the mean over time, and what stands for it when nothing is present.

    Args:
        spec: The stream that it reads.
        frontend: Front-end of the stream; None for the one that suits it.
        classes: Classes of the branch's own head.
    """

    def __init__(self, spec: StreamSpec, frontend: FrontEndChoice, classes: int) -> None:
        super().__init__()
        self.stream = spec.name
        self.frontend = build_frontend(spec, frontend)
        self.width = self.frontend.channels[1]
        self.absent = nn.Parameter(torch.zeros(self.width))
        self.head = nn.Linear(self.width, classes)

    def forward(self, batch: Batch) -> torch.Tensor:
        """The embedding of each clip, (B, width)."""
        x, mask = self.frontend(batch.streams[self.stream], batch.masks[self.stream])
        return torch.where(mask.any(1, keepdim=True), masked_mean(x, mask), self.absent)


class Concatenation(Model):
    """`concat`: embeddings of both modalities, joined by two linear layers.

    `Output.auxiliary` holds what each modality says alone (`audio`, `video`).

    Args:
        streams: An audio and a video stream.
        classes: Number of classes C.
        audio: Front-end of the audio stream; None for the one that suits it.
        video: Front-end of the video stream; None for the one that suits it.
        hidden: Units between the two linear layers.
        dropout: Probability of dropping an embedding's feature or a hidden unit in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        classes: int,
        *,
        audio: FrontEndChoice = None,
        video: FrontEndChoice = None,
        hidden: int = 128,
        dropout: float = 0.2,
    ) -> None:
        super().__init__(streams, classes)
        specs = self.stream_of("audio"), self.stream_of("video")
        self.streams = {spec.name: spec for spec in specs}
        self.audio = Branch(specs[0], audio, classes)
        self.video = Branch(specs[1], video, classes)
        self.joint = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(self.audio.width + self.video.width, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, classes),
        )

    def forward(self, batch: Batch) -> Output:
        """Class scores; a learned embedding stands for an absent modality."""
        audio, video = self.audio(batch), self.video(batch)
        return Output(
            self.joint(torch.cat((audio, video), -1)),
            {"audio": self.audio.head(audio), "video": self.video.head(video)},
        )
