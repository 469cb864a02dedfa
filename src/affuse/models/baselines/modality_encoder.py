"""The encoder of one modality with its classifier: what the simple fusions are made of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model
from affuse.models.frontends.registry import FrontEndChoice, build_frontend
from affuse.models.layers.alignment import Clock
from affuse.models.layers.dropout import Dropout
from affuse.models.layers.pooling import Pooling, build_pool
from affuse.suggestions import unknown


class Temperature(nn.Module):
    """Scores of another model divided by one learned positive number, 1 at first.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.
    """

    def __init__(self) -> None:
        super().__init__()
        self.logarithm = nn.Parameter(torch.zeros(()))

    def forward(self, scores: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return scores / self.logarithm.exp()


class ModalityEncoder(nn.Module):
    """Front-end, pooling over time, linear layer; `EncoderModel` runs it.

    Scores of another model need none of it, unless a front-end is chosen: they get a temperature.

    Args:
        spec: The stream that it reads.
        outputs: Number of classes C or of dimensions D.
        frontend: Front-end of the stream; None for the one that suits it.
        pooling: How time is pooled.
        dropout: Probability of dropping a pooled feature in training.

    Raises:
        AffuseError: Scores of another number of classes.
    """

    def __init__(
        self,
        spec: StreamSpec,
        outputs: int,
        frontend: FrontEndChoice,
        pooling: Pooling,
        dropout: float,
    ) -> None:
        super().__init__()
        self.stream = spec.name
        self.frontend = build_frontend(spec, frontend)
        scored = spec.kind == "scores" and frontend is None
        if scored and spec.shape != (outputs,):
            raise AffuseError(f"{spec.name} scores {spec.shape[0]} classes, not {outputs}")
        self.pool, self.width = build_pool("mean" if scored else pooling, self.frontend.channels[1])
        self.dropout = Dropout(0.0 if scored else dropout)
        self.classifier = Temperature() if scored else nn.Linear(self.width, outputs)


class EncoderModel(Model):
    """A model of modality encoders.

    Args:
        streams: The streams that it reads.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        pooling: How time is pooled, one of `affuse.models.layers.pooling.POOLS`.
        where: Stream of one number that says when its modality is pooled: where it is not below
            its mean, such as `audio/loud`, which leaves out pauses. By default always.

    Raises:
        AffuseError: Another pooling than `mean`, or `where`, where the head is per frame; or
            `where` is no such stream.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        head: Head,
        pooling: Pooling,
        where: str = "",
    ) -> None:
        super().__init__(streams, outputs, head)
        self.where = where
        if head == "frames" and pooling != "mean":
            raise AffuseError(f"pooling={pooling!r}: a head per frame pools nothing")
        if not where:
            return
        if head == "frames":
            raise AffuseError(f"where={where!r}: a head per frame pools nothing")
        if where not in self.streams:
            raise unknown("stream", where, self.streams, "the recipe's streams")
        if self.streams[where].shape != (1,) or not self.streams[where].rate:
            raise AffuseError(f"where={where!r}: expected a stream of one number over time")

    def stream_of(self, modality: str) -> StreamSpec:
        """See `Model.stream_of`; `where` is none that is read."""
        for spec in self.streams.values():
            if spec.modality == modality and spec.name != self.where:
                return spec
        return super().stream_of(modality)

    def embed(self, encoder: ModalityEncoder, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the head reads of a modality, and presence; see `Model.over_time`."""
        x, mask = encoder.frontend.read(batch)
        pooled, present = self.pooled(encoder, x, mask, batch)
        return encoder.dropout(pooled), present

    def pooled(
        self, encoder: ModalityEncoder, x: Tensor, mask: Tensor, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """The same of what its front-end gives, (B, T, C) and (B, T)."""
        clock = encoder.frontend.clock
        if self.where.split("/")[0] == encoder.stream.split("/")[0]:
            mask = mask & self._counts(clock, mask.shape[1], batch)
        return self.over_time(x, mask, clock, batch, encoder.pool)

    def _counts(self, clock: Clock, frames: int, batch: Batch) -> Tensor:
        """(B, frames) bool, whether `where` lets a frame of a clock be pooled."""
        tells, there = batch.streams[self.where].squeeze(-1), batch.masks[self.where]
        pauses = F.pad(there & (tells < 0), (0, 1))  # what lies beyond its end is none
        seconds = (clock.lead + clock.stride * torch.arange(frames)) / clock.rate
        # a moment that rounding puts a little early is not of the frame before
        place = (seconds * self.streams[self.where].rate + 1e-4).long()
        return ~pauses[:, place.clamp(max=there.shape[1]).to(pauses.device)]


class BimodalModel(EncoderModel):
    """What the simple fusions of two modalities share.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        audio: Front-end of the audio stream; None for the one that suits it.
        video: Front-end of the video stream; None for the one that suits it.
        pooling: How time is pooled, one of `affuse.models.layers.pooling.POOLS`.
        dropout: Probability of dropping a pooled feature in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        audio: FrontEndChoice = None,
        video: FrontEndChoice = None,
        pooling: Pooling = "mean",
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, outputs, head, pooling)
        sound, picture = self.stream_of("audio"), self.stream_of("video")
        self.streams = {spec.name: spec for spec in (sound, picture)}
        self.audio = ModalityEncoder(sound, outputs, audio, pooling, dropout)
        self.video = ModalityEncoder(picture, outputs, video, pooling, dropout)
