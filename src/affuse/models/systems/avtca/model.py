"""AVT-CA: audio-video transformer fusion with cross attention (2024).

The intermediate transformer of Chumachenko et al. (2022), and attention once more after both
stages. The released code and the diagram of the paper differ; there is a model of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Output
from affuse.models.layers.attention import PackedAttention
from affuse.models.layers.pooling import masked_max
from affuse.models.layers.projection import projection
from affuse.models.systems.chumachenko.model import IntermediateTransformer


class AVTCA(IntermediateTransformer):
    """`avtca`: the released code: either branch attends to itself after both stages.

    One attention serves both branches, without residual and norm.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        heads: Attention heads, between the stages and after them; published are 8.
        shared: See `Chumachenko`.
    """

    def __init__(
        self, streams: Mapping[str, StreamSpec], outputs: int, *, heads: int = 8, **shared: Any
    ) -> None:
        super().__init__(streams, outputs, heads=heads, **shared)
        width = self.video.channels[1]
        self.bridge = projection(self.audio.channels[1], width)
        self.last = PackedAttention(width, heads)
        self.classifier = nn.Linear(2 * width, outputs)

    def fuse_after(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Either modality attends to itself."""
        audio = self.bridge(audio)
        return (
            self.last(audio, audio, audio, audio_mask.unsqueeze(1)),
            self.last(video, video, video, video_mask.unsqueeze(1)),
        )


class AVTCAPaper(IntermediateTransformer):
    """`avtca-paper`: an interpretation of the paper's diagram, which the released code is not.

    After both stages and on common frames: attention whose queries and keys are of one modality
    and whose values are of the other, then attention from one modality to the other, both with
    residuals; the maximum over time of each branch, and the sum of both.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        heads: Attention heads.
        shared: See `Chumachenko`.
    """

    def __init__(
        self, streams: Mapping[str, StreamSpec], outputs: int, *, heads: int = 8, **shared: Any
    ) -> None:
        super().__init__(streams, outputs, heads=heads, **shared)
        width = self.video.channels[1]
        self.bridge = projection(self.audio.channels[1], width)
        self.audio_values_of_video = PackedAttention(width, heads)
        self.video_values_of_audio = PackedAttention(width, heads)
        self.audio_to_video = PackedAttention(width, heads)
        self.video_to_audio = PackedAttention(width, heads)
        self.classifier = nn.Linear(width, outputs)

    def forward(self, batch: Batch) -> Output:
        """Scores; an absent modality adds nothing to them."""
        audio, audio_mask, video, video_mask = self.branches(batch)
        a, heard = self.on_frames(self.bridge(audio), audio_mask, self.audio.clock, batch)
        v, seen = self.on_frames(video, video_mask, self.video.clock, batch)
        both = (heard & seen).unsqueeze(1)
        a, v = (
            a + self.audio_values_of_video(a, a, v, both) * heard.unsqueeze(-1),
            v + self.video_values_of_audio(v, v, a, both) * seen.unsqueeze(-1),
        )
        a, v = (
            a + self.audio_to_video(a, v, v, seen.unsqueeze(1)) * heard.unsqueeze(-1),
            v + self.video_to_audio(v, a, a, heard.unsqueeze(1)) * seen.unsqueeze(-1),
        )
        audio, there = self.summary(a, heard, masked_max)
        video, visible = self.summary(v, seen, masked_max)
        return self.answer(self.classifier(audio + video), there | visible)
