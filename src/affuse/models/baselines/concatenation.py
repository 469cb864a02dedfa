"""The modalities' pooled features side by side, joined by a small network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Output
from affuse.models.baselines.modality_encoder import BimodalModel
from affuse.models.layers.dropout import Dropout


class Concatenation(BimodalModel):
    """`concat`: features of both modalities, joined by two linear layers.

    `Output.auxiliary` holds what each modality says alone (`audio`, `video`).

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        hidden: Units between the two linear layers.
        dropout: Probability of dropping a pooled feature or a hidden unit in training.
        shared: See `BimodalModel`.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        hidden: int = 128,
        dropout: float = 0.2,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, dropout=dropout, **shared)
        self.no_audio = nn.Parameter(torch.zeros(self.audio.width))
        self.no_video = nn.Parameter(torch.zeros(self.video.width))
        self.joint = nn.Sequential(
            nn.Linear(self.audio.width + self.video.width, hidden),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden, outputs),
        )

    def forward(self, batch: Batch) -> Output:
        """Scores; learned features stand for an absent modality."""
        audio, heard = self.embed(self.audio, batch)
        video, seen = self.embed(self.video, batch)
        joined = torch.cat(
            (torch.where(heard, audio, self.no_audio), torch.where(seen, video, self.no_video)), -1
        )
        says = {"audio": self.audio.classifier(audio), "video": self.video.classifier(video)}
        return self.answer(self.joint(joined), heard | seen, says)
