"""Gated fusion: how much of either modality is decided by both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Output
from affuse.models.baselines.modality_encoder import BimodalModel


class GatedFusion(BimodalModel):
    """`gated`: a gated multimodal unit on the pooled features of both modalities.

    `Output.auxiliary` holds what each modality says alone (`audio`, `video`).

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        hidden: Units of the fused vector.
        shared: See `BimodalModel`.

    Source: Arevalo, Solorio, Montes-y-Gomez and Gonzalez, Gated multimodal units, 2017; an absent
    modality gets no share of the gate here.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        hidden: int = 128,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        self.audio_unit = nn.Linear(self.audio.width, hidden)
        self.video_unit = nn.Linear(self.video.width, hidden)
        self.gate = nn.Linear(self.audio.width + self.video.width, hidden)
        self.classifier = nn.Linear(hidden, outputs)

    def forward(self, batch: Batch) -> Output:
        """Scores; an absent modality leaves all to the other."""
        audio, heard = self.embed(self.audio, batch)
        video, seen = self.embed(self.video, batch)
        share = self.gate(torch.cat((audio, video), -1)).sigmoid()
        share = torch.where(heard & seen, share, heard.to(share.dtype))
        fused = share * self.audio_unit(audio).tanh() + (1 - share) * (
            self.video_unit(video).tanh() * seen
        )
        says = {"audio": self.audio.classifier(audio), "video": self.video.classifier(video)}
        return self.answer(self.classifier(fused), heard | seen, says)
