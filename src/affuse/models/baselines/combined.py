"""A model of the voice and a model of the face, trained apart, that decide together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.applied import LEAST_VOICE
from affuse.models.base import Head, Output
from affuse.models.baselines.modality_encoder import EncoderModel, ModalityEncoder
from affuse.models.frontends.registry import FrontEndChoice
from affuse.models.layers.pooling import Pooling
from affuse.models.layers.voice import VoiceDetector


class CalibratedEncoder(ModalityEncoder):
    """A branch whose own classes are merged into those of the whole.

    Args:
        spec: The stream that it reads.
        outputs: Number of classes C of the whole.
        frontend: Front-end of the stream; None for the one that suits it.
        pooling: How time is pooled.
        classes: Number of its own classes; C by default.
        joins: Of each class of the whole, which of its own are that; a class that is in none is
            left out. One by one by default.
        temperature: What its scores are divided by.
    """

    def __init__(
        self,
        spec: StreamSpec,
        outputs: int,
        frontend: FrontEndChoice = None,
        pooling: Pooling = "mean",
        classes: int | None = None,
        joins: Sequence[Sequence[int]] | None = None,
        temperature: float = 1.0,
    ) -> None:
        own = classes or outputs
        super().__init__(spec, own, frontend, pooling, 0.0)
        rows = [[k] for k in range(outputs)] if joins is None else joins
        if (
            len(rows) != outputs
            or not all(rows)
            or {k for row in rows for k in row} - {*range(own)}
        ):
            raise AffuseError(f"joins of {spec.name} must name, {outputs} times, some of {own}")
        self.joins, self.temperature = [list(row) for row in rows], temperature

    def log_shares(self, features: Tensor) -> Tensor:
        """(B, F) -> (B, C) log-probabilities of the classes of the whole."""
        own = self.classifier(features).float() / self.temperature
        return torch.stack([own[:, row].logsumexp(1) for row in self.joins], 1).log_softmax(-1)


class Combined(EncoderModel):
    """`combined`: what voice and face say, each calibrated, taken as independent of each other.

    With both, the probabilities are multiplied and divided by `prior`, the shares of the classes
    among the clips that the voice was calibrated on: a voice that says nothing new then leaves what
    the face says. With one, that one decides.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C.
        head: `classes`.
        audio: Options of `CalibratedEncoder` for the sound.
        video: The same for the images.
        prior: C positive numbers; equal ones by default.
        temperature: What the scores of both together are divided by.
        ratings: Names of values, such as valence, that are read from the features of the images.
        voice: Whether it tells by itself where somebody is heard (`Output.voice`); sound in which
            nobody is counts as absent.
        where: Stream that says when sound is pooled, such as `audio/loud`; see `EncoderModel`.

    Raises:
        AffuseError: Another head, a prior of another length, or joins that do not fit.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        audio: Mapping[str, Any] | None = None,
        video: Mapping[str, Any] | None = None,
        prior: Sequence[float] = (),
        temperature: float = 1.0,
        ratings: Sequence[str] = (),
        voice: bool = False,
        where: str = "",
    ) -> None:
        super().__init__(streams, outputs, head, "mean", where)
        if head != "classes":
            raise AffuseError(f"model combined has no head {head!r}; it tells classes")
        if len(prior) not in {0, outputs} or any(share <= 0 for share in prior):
            raise AffuseError(f"combined: prior must hold {outputs} positive numbers")
        sound, picture = self.stream_of("audio"), self.stream_of("video")
        read = (sound.name, where, picture.name)
        self.streams = {name: self.streams[name] for name in read if name}
        self.audio = CalibratedEncoder(sound, outputs, **(audio or {}))
        self.video = CalibratedEncoder(picture, outputs, **(video or {}))
        self.prior = list(prior) or [1 / outputs] * outputs
        self.temperature = temperature
        self.ratings = list(ratings)
        self.rate = nn.Linear(self.video.width, len(ratings)) if ratings else None
        clock, (_, channels) = self.audio.frontend.clock, self.audio.frontend.channels
        self.voice = VoiceDetector(channels, clock.rate / clock.stride) if voice else None

    def forward(self, batch: Batch) -> Output:
        """Log-probabilities; equal ones where nothing is present."""
        sound, heard, share = self._listen(batch)
        face, seen = self.embed(self.video, batch)
        says = {"audio": self.audio.log_shares(sound), "video": self.video.log_shares(face)}
        prior = torch.tensor(self.prior, device=face.device).log()
        both = (says["audio"] + says["video"] - prior) / self.temperature
        alone = says["audio"] * heard + says["video"] * seen
        output = self.answer(
            torch.where(heard & seen, both, alone).log_softmax(-1), heard | seen, says
        )
        if self.rate is not None:
            values = self.rate(face).masked_fill(~seen, torch.nan).unbind(-1)
            output.ratings = dict(zip(self.ratings, values, strict=True))
        output.voice = share
        return output

    def _listen(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor | None]:
        """Features of the sound (B, F), whether it counts (B, 1), and `Output.voice`."""
        encoder = self.audio
        x, mask = encoder.frontend.read(batch)
        features, there = self.pooled(encoder, x, mask, batch)
        if self.voice is None:
            return features, there, None
        share = self.voice(x, mask)
        return features, there & (share >= LEAST_VOICE).unsqueeze(1), share
