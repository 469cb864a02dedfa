"""Early fusion: the features of both modalities side by side in every frame."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Output
from affuse.models.layers.dropout import Dropout
from affuse.models.layers.temporal import ConvBlock, TemporalStack
from affuse.models.pair import PairModel


class EarlyFusion(PairModel):
    """`early`: concatenation frame by frame, then four convolutions over time.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        width: Channels of the first two convolutions; then twice as many.
        dropout: Probability of dropping a feature before the last layer in training.
        shared: See `PairModel`.
    """

    plain = True

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        width: int = 64,
        dropout: float = 0.2,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        self.no_audio = nn.Parameter(torch.zeros(self.audio.channels[1]))
        self.no_video = nn.Parameter(torch.zeros(self.video.channels[1]))
        self.temporal = TemporalStack(
            ConvBlock(self.audio.channels[1] + self.video.channels[1], width),
            ConvBlock(width, width),
            ConvBlock(width, 2 * width),
            ConvBlock(2 * width, 2 * width),
        )
        self.dropout = Dropout(dropout)
        self.classifier = nn.Linear(2 * width, outputs)

    def forward(self, batch: Batch) -> Output:
        """Scores; learned features stand for an absent modality, frame by frame."""
        parts, present = [], []
        sides = (self.audio, self.no_audio), (self.video, self.no_video)
        for frontend, absent in sides:
            x, mask = frontend.read(batch)
            x, mask = self.on_frames(x, mask, frontend.clock, batch)
            parts.append(torch.where(mask.unsqueeze(-1), x, absent))
            present.append(mask)
        mask = present[0] | present[1]
        x, mask = self.temporal(torch.cat(parts, -1) * mask.unsqueeze(-1), mask)
        features, there = self.summary(x, mask)
        return self.answer(self.classifier(self.dropout(features)), there)
