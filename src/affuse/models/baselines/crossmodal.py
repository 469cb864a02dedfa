"""A plain cross-modal transformer, in the manner of MulT."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Output
from affuse.models.layers.alignment import Clock
from affuse.models.layers.attention import CrossAttentionBlock
from affuse.models.layers.dropout import Dropout
from affuse.models.pair import PairModel

#: Positions per second of the sinusoids: those of video frames.
_RATE = 25.0


class CrossModal(PairModel):
    """`crossmodal`: either modality attends to the other, then to itself, at their own rates.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        width: Channels that both modalities are projected to; even.
        heads: Attention heads.
        layers: Blocks that attend to the other modality, and as many that attend to themselves.
        dropout: Probability of dropping a feature in training, before the blocks and after them.
        shared: See `PairModel`.

    Raises:
        AffuseError: An odd width, or one that the heads do not divide.

    Source: Tsai et al., Multimodal transformer for unaligned multimodal language sequences, ACL
    2019, for two modalities. Time is pooled by its mean over present frames, not by its last frame,
    and positions are those of the clock, so that frames of different rates meet.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        width: int = 64,
        heads: int = 4,
        layers: int = 2,
        dropout: float = 0.1,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        if width % 2:
            raise AffuseError(f"width={width}: sinusoidal positions need an even width")
        self.project_audio = nn.Linear(self.audio.channels[1], width)
        self.project_video = nn.Linear(self.video.channels[1], width)
        self.audio_from_video, self.video_from_audio, self.audio_memory, self.video_memory = (
            nn.ModuleList(CrossAttentionBlock(width, width, heads) for _ in range(layers))
            for _ in range(4)
        )
        self.norm = nn.LayerNorm(2 * width)
        self.dropout = Dropout(dropout)
        self.classifier = nn.Linear(2 * width, outputs)

    def forward(self, batch: Batch) -> Output:
        """Scores; an absent modality is attended by nobody and adds nothing."""
        a, heard = self.audio.read(batch)
        v, seen = self.video.read(batch)
        a = self.dropout(with_positions(self.project_audio(a), self.audio.clock))
        v = self.dropout(with_positions(self.project_video(v), self.video.clock))
        audio = attend(a, heard, v, seen, self.audio_from_video, self.audio_memory)
        video = attend(v, seen, a, heard, self.video_from_audio, self.video_memory)
        audio, there = self.over_time(audio, heard, self.audio.clock, batch)
        video, visible = self.over_time(video, seen, self.video.clock, batch)
        fused = self.norm(torch.cat((audio * there, video * visible), -1))
        return self.answer(self.classifier(self.dropout(fused)), there | visible)


def attend(
    x: Tensor,
    mask: Tensor,
    other: Tensor,
    other_mask: Tensor,
    cross: nn.ModuleList,
    own: nn.ModuleList,
) -> Tensor:
    """(B, T, C) after attending to (B, T', C) and then to itself; zero where absent."""
    for block in cross:
        x = block(other, x, other_mask)
    for block in own:
        x = block(x, x, mask)
    return x * mask.unsqueeze(-1)


def with_positions(x: Tensor, clock: Clock) -> Tensor:
    """(B, T, C) plus sinusoids of when its frames are."""
    frame = torch.arange(x.shape[1], device=x.device) * clock.stride + clock.lead
    time = frame / clock.rate if clock.rate else torch.zeros_like(frame)
    octaves = torch.arange(x.shape[2] // 2, device=x.device)
    speed = torch.exp(octaves * (-math.log(10000.0) / octaves.shape[0]))
    angle = _RATE * time[:, None] * speed
    return x + torch.cat((angle.sin(), angle.cos()), -1).to(x.dtype)
