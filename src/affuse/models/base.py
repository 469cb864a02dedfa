"""The contract between a model and everything around it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.frontends.front_end import FrontEnd
from affuse.models.layers.alignment import Clock, align, frames_until, series_lengths
from affuse.models.layers.framewise import FrameEmbedder
from affuse.models.layers.pooling import masked_mean
from affuse.models.options import Head, check_choice


@dataclass
class Output:
    """What every model returns.

    Args:
        scores: (B, C) `logits` before softmax, or (B, T, D) `values`: one row per frame of
            `Model.leader`, and further ones where other streams are longer.
        auxiliary: Named further heads, in the shape of the scores.
        mask: (B, T) bool, which values rest on something that was present; None for logits.
        ratings: Further values (B,) by name, such as valence, that a model of classes reads from
            what it sees; NaN where it sees nothing.
        voice: (B,) share of the sound of a window in which somebody is heard; NaN without sound.
            None of a model that does not tell.
    """

    scores: Tensor
    auxiliary: dict[str, Tensor] = field(default_factory=dict)
    mask: Tensor | None = None
    ratings: dict[str, Tensor] = field(default_factory=dict)
    voice: Tensor | None = None

    @property
    def logits(self) -> Tensor:
        """(B, C) class scores before softmax; `ValueError` where the model gives values."""
        if self.mask is not None:
            raise ValueError("the model gives values (B, T, D), not class scores")
        return self.scores

    @property
    def values(self) -> Tensor:
        """(B, T, D) values; `ValueError` where the model gives class scores."""
        if self.mask is None:
            raise ValueError("the model gives class scores (B, C), not values")
        return self.scores


class Model(nn.Module, ABC):
    """A network from a normalised batch to an `Output`.

    No training code, no input or output, no global state. A modality that is absent is an
    all-False mask, never an exception, and the result of a clip does not depend on its batch
    mates or on padding.

    Args:
        streams: The streams that it reads, by name.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.

    Raises:
        AffuseError: No such head.
    """

    def __init__(
        self, streams: Mapping[str, StreamSpec], outputs: int, head: Head = "classes"
    ) -> None:
        super().__init__()
        check_choice("head", head, Head)
        self.streams = dict(streams)
        self.outputs, self.head = outputs, head

    def stream_of(self, modality: str) -> StreamSpec:
        """The spec of the first stream of a modality.

        Raises:
            ValueError: The model was given no stream of it.
        """
        for spec in self.streams.values():
            if spec.modality == modality:
                return spec
        raise ValueError(f"{type(self).__name__} needs a stream of modality {modality!r}")

    @property
    def leader(self) -> StreamSpec:
        """The stream whose frames values follow: the first of video, or else of sound."""
        by_preference = sorted(
            self.streams.values(), key=lambda s: (s.rate == 0, s.modality != "video")
        )
        return by_preference[0]

    def frame_embedders(self) -> dict[str, FrameEmbedder]:
        """The parts that see the frames of a stream one by one, by stream.

        A batch can hold what they make of the frames, (B, T, F), in place of the frames. By
        default these are the front-ends; a stream that two of them read is left out, and so is
        one whose absent frames count.
        """
        found: dict[str, list[FrameEmbedder]] = {}
        for module in self.modules():
            if isinstance(module, FrontEnd):
                found.setdefault(module.clock.stream, []).append(module)
        return {n: x[0] for n, x in found.items() if len(x) == 1 and x[0].frame_features}

    def on_frames(
        self, x: Tensor, mask: Tensor, clock: Clock, batch: Batch
    ) -> tuple[Tensor, Tensor]:
        """A time series on the frames of the leader.

        Args:
            x: (B, T, C).
            mask: (B, T) bool.
            clock: When its frames are.
            batch: The batch; the longest of its streams decides how many frames L there are.

        Returns:
            (B, L, C), zero where absent, and (B, L) bool.
        """
        rate = self.leader.rate
        frames = batch.masks[self.leader.name].shape[1]
        for name, spec in self.streams.items():  # sym_max: in an exported graph lengths are open
            frames = torch.sym_max(
                frames, frames_until(batch.masks[name].shape[1], spec.rate, rate)
            )
        return align(x, mask, clock, self._end(clock, batch), rate, frames)

    def _end(self, clock: Clock, batch: Batch) -> Tensor:
        """(B, 1): where, in frames of the leader, a stream ends.

        A row for the whole clip ends with the longest of the other streams, but not before the
        first frame.
        """
        timed = {n: s.rate for n, s in self.streams.items() if s.rate and clock.rate == 0}
        timed = timed or {clock.stream: clock.rate or 1.0}
        ends = [
            (series_lengths(batch.masks[name]) - 0.5) * (self.leader.rate / rate)
            for name, rate in timed.items()
        ]
        return torch.stack(ends).amax(0).clamp(min=0.0 if clock.rate else 0.5).unsqueeze(1)

    def summary(
        self, x: Tensor, mask: Tensor, pool: Callable[[Tensor, Tensor], Tensor] = masked_mean
    ) -> tuple[Tensor, Tensor]:
        """What the head reads of a time series that is on the frames of the leader.

        Args:
            x: (B, L, C), zero where absent.
            mask: (B, L) bool.
            pool: How time is pooled where the head is not per frame.

        Returns:
            (B, C') or (B, L, C), and presence (B, 1) or (B, L, 1) bool.
        """
        if self.head == "frames":
            return x, mask.unsqueeze(-1)
        return pool(x, mask), mask.any(1, keepdim=True)

    def over_time(
        self,
        x: Tensor,
        mask: Tensor,
        clock: Clock,
        batch: Batch,
        pool: Callable[[Tensor, Tensor], Tensor] = masked_mean,
    ) -> tuple[Tensor, Tensor]:
        """What the head reads of a time series with its own frames; see `summary`.

        Args:
            x: (B, T, C).
            mask: (B, T) bool.
            clock: When its frames are.
            batch: The batch.
            pool: How time is pooled where the head is not per frame.
        """
        if self.head == "frames":
            x, mask = self.on_frames(x, mask, clock, batch)
        return self.summary(x, mask, pool)

    def answer(
        self, scores: Tensor, present: Tensor, auxiliary: Mapping[str, Tensor] | None = None
    ) -> Output:
        """The output in the form of the head.

        Args:
            scores: (B, C) or, for a head per frame, (B, L, D).
            present: (B, 1) or (B, L, 1) bool, whether anything was.
            auxiliary: Further heads in the shape of the scores.
        """
        heads = dict(auxiliary or {})
        if self.head == "classes":
            return Output(scores, heads)
        return Output(scores, heads, present.squeeze(-1))

    @abstractmethod
    def forward(self, batch: Batch) -> Output:
        """Scores for every clip of a normalised batch."""
