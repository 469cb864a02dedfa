"""Self-attention fusion of speech and faces (Chumachenko, Iosifidis and Gabbouj, ICPR 2022).

Two branches of two stages each, and one of three fusions: a transformer after both stages (lt),
a transformer between the stages (it), or attention between the stages of which only the weights
are used (ia). The mean over time of each branch goes into one linear layer.

Where the published code has a quirk, an option says so; the
defaults are our own, and `published_options` gives the published system.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Output
from affuse.models.layers.attention import AttentionMap, CrossAttention, CrossAttentionBlock
from affuse.models.layers.framewise import FrameEmbedder
from affuse.models.options import check_choice
from affuse.models.pair import PairModel

Masking = Literal["exclude", "published"]


class Chumachenko(PairModel):
    """What the three variants share.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        masking: `exclude` leaves absent frames out of everything. `published` counts them as
            zeros, as published.
        dead_weights: Hold the published weights that have no effect, so that a checkpoint can be
            loaded and written back whole.
        shared: See `PairModel`.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        masking: Masking = "exclude",
        dead_weights: bool = False,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        check_choice("masking", masking, Masking)
        self.masking = masking
        sizes = self.audio.channels[1], self.video.channels[1]
        self.dead = nn.ModuleDict()
        if dead_weights:
            self.dead["audio_classifier"] = nn.Linear(sizes[0], outputs)
            self.dead["video_classifier"] = nn.Linear(sizes[1], outputs)
        self.classifier = nn.Linear(sum(sizes), outputs)

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the published system; `heads` is 1 or 4 in the paper."""
        return {
            "audio": {"name": "mfcc-conv"},
            "video": {"name": "efficientface"},
            "masking": "published",
            "dead_weights": True,
        }

    def fuse_between(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fusion between the stages: (B, Ta, Ca1), (B, Ta), (B, Tv, Cv1), (B, Tv) -> the same."""
        return audio, video

    def fuse_after(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fusion after the stages: (B, Ta, Ca2), (B, Ta), (B, Tv, Cv2), (B, Tv) -> the same."""
        return audio, video

    def frame_embedders(self) -> dict[str, FrameEmbedder]:
        """None where absent frames count as input; see `Model.frame_embedders`."""
        return {} if self.masking == "published" else super().frame_embedders()

    def branches(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Both branches, fused: (B, Ta, Ca2), (B, Ta), (B, Tv, Cv2), (B, Tv)."""
        if self.masking == "published":
            batch = batch.all_present()
        audio, audio_mask = self.audio.read_first(batch)
        video, video_mask = self.video.read_first(batch)
        audio, video = self.fuse_between(audio, audio_mask, video, video_mask)
        audio, audio_mask = self.audio.stage2(audio, audio_mask)
        video, video_mask = self.video.stage2(video, video_mask)
        audio, video = self.fuse_after(audio, audio_mask, video, video_mask)
        return audio, audio_mask, video, video_mask

    def forward(self, batch: Batch) -> Output:
        """Scores; an absent modality adds nothing to them."""
        audio, audio_mask, video, video_mask = self.branches(batch)
        heard, audio_there = self.over_time(audio, audio_mask, self.audio.clock, batch)
        seen, video_there = self.over_time(video, video_mask, self.video.clock, batch)
        scores = self.classifier(torch.cat((heard, seen), -1))
        return self.answer(scores, audio_there | video_there)


class LateTransformer(Chumachenko):
    """`chumachenko-lt`: a transformer block in either direction after both stages.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        heads: Attention heads.
        query_residual: Add a modality's own features to what it gathers from the other. Published
            is False: what reaches the classifier from one branch is then a mixture of the other's
            features, and a modality without a partner says nothing.
        shared: See `Chumachenko`.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        heads: int = 1,
        query_residual: bool = True,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        a, v = self.audio.channels[1], self.video.channels[1]
        self.to_audio = CrossAttentionBlock(a, v, heads, query_residual)
        self.to_video = CrossAttentionBlock(v, a, heads, query_residual)

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the published system."""
        return super().published_options() | {"query_residual": False}

    def fuse_after(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Either modality attends to the other."""
        return self.to_audio(video, audio, video_mask), self.to_video(audio, video, audio_mask)


class IntermediateTransformer(Chumachenko):
    """`chumachenko-it`: what a transformer block gathers is added between the stages.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        heads: Attention heads.
        shared: See `Chumachenko`.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        heads: int = 1,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        a, v = self.audio.channels[0], self.video.channels[0]
        # The queries are added around the whole block, below.
        self.to_audio = CrossAttentionBlock(a, v, heads, query_residual=False)
        self.to_video = CrossAttentionBlock(v, a, heads, query_residual=False)

    def fuse_between(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Either modality is added what it gathers from the other, or nothing if that is absent."""
        added = self.to_audio(video, audio, video_mask), self.to_video(audio, video, audio_mask)
        return (
            audio + added[0] * (audio_mask & video_mask.any(1, keepdim=True)).unsqueeze(-1),
            video + added[1] * (video_mask & audio_mask.any(1, keepdim=True)).unsqueeze(-1),
        )


class IntermediateAttention(Chumachenko):
    """`chumachenko-ia`: features between the stages are weighted by the attention they receive.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        heads: Attention heads.
        normalise_weights: Weights of mean 1 over the present frames, and of 1 where the other
            modality is absent. Published is False: they sum to the number of queries, so that
            their size depends on the lengths (10 for 15 frames of video and 150 of audio, 0.1 the
            other way).
        shared: See `Chumachenko`; with `dead_weights`, here also the values and projections of the
            attention.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        heads: int = 1,
        normalise_weights: bool = True,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        self.normalise_weights = normalise_weights
        a, v = self.audio.channels[0], self.video.channels[0]
        attention = CrossAttention if self.dead else AttentionMap
        self.to_audio = attention(a, v, a, heads)
        self.to_video = attention(v, a, v, heads)

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the published system."""
        return super().published_options() | {"normalise_weights": False}

    def fuse_between(
        self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Either modality is weighted by the attention of the other."""
        from_audio = self._map(self.to_audio, video, audio, video_mask)
        from_video = self._map(self.to_video, audio, video, audio_mask)
        return (
            audio * self._received(from_video, video_mask, audio_mask),
            video * self._received(from_audio, audio_mask, video_mask),
        )

    @staticmethod
    def _map(attention: nn.Module, keys: Tensor, queries: Tensor, mask: Tensor) -> Tensor:
        result = attention(keys, queries, mask)
        return result[1] if isinstance(result, tuple) else result

    def _received(self, weights: Tensor, query_mask: Tensor, key_mask: Tensor) -> Tensor:
        """(B, heads, Nq, Nk), (B, Nq), (B, Nk) -> the attention that each key gets, (B, Nk, 1)."""
        total = (weights.mean(1) * query_mask.unsqueeze(-1)).sum(1)
        if self.normalise_weights:
            queries = query_mask.sum(1, keepdim=True)
            mean_one = total * key_mask.sum(1, keepdim=True) / queries.clamp(min=1)
            total = torch.where(queries > 0, mean_one, 1.0)
        return total.unsqueeze(-1)
