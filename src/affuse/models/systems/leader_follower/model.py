"""Leader-follower attentive fusion (Zhang, Ding, Wei and Guan, ABAW2, ICCVW 2021).

Faces lead, sound follows. Every stream passes a causal convolutional network on the frames of the
leader. In every frame the streams attend to one another, and what comes out is laid beside the
leader's own features for one linear layer.

Where the published code has a quirk, an option says so; the
defaults are our own, and `published_options` gives the published system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model, Output
from affuse.models.frontends.registry import FrontEndChoice, build_frontend
from affuse.models.layers.attention import attention_weights
from affuse.models.layers.tcn import causal_network

LEADER = (128, 128, 128, 128)
FOLLOWER = (32, 32, 32, 32)
KERNEL = 5
WIDTH = 32  # of the attention


class Track(nn.Module):
    """A stream's front-end and its causal network; `LeaderModel` runs them.

    Args:
        spec: The stream.
        choice: Its front-end; None for the values as they are, if they are vectors.
        channels: Channels of the blocks of the causal network.
        kernel: Frames that its convolutions look at.
        dropout: Probability of dropping a channel of a whole clip in training.

    Raises:
        AffuseError: No such network.
    """

    def __init__(
        self,
        spec: StreamSpec,
        choice: FrontEndChoice,
        channels: Sequence[int],
        kernel: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1 or kernel < 1:
            raise AffuseError(
                f"a causal network needs channels and a kernel of 1 and more, not {[*channels]} "
                f"and {kernel}"
            )
        self.stream, self.channels = spec.name, tuple(channels)
        self.frontend = build_frontend(spec, choice, plain=True)
        self.temporal = causal_network(self.frontend.channels[1], self.channels, kernel, dropout)


class LeaderModel(Model):
    """What the model with and the model without followers share."""

    def read(self, track: Track, batch: Batch) -> tuple[Tensor, Tensor]:
        """A stream on the frames of the leader: (B, L, C), zero where absent, and (B, L) bool."""
        x, mask = track.frontend.read(batch)
        features: tuple[Tensor, Tensor] = track.temporal(
            *self.on_frames(x, mask, track.frontend.clock, batch)
        )
        return features

    def conclude(self, features: Tensor, present: Tensor, classifier: nn.Module) -> Output:
        """The output for (B, L, C) features that are present at (B, L) bool."""
        features, there = self.summary(features, present)
        return self.answer(classifier(features), there)


class LeaderVisual(LeaderModel):
    """`leader-follower-visual`: the leader alone.

    Args:
        streams: Streams, of which the first of video is read.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        video: Front-end of the stream; None for the one that suits it, vectors as they are.
        channels: Channels of the blocks of the causal network, each dilated twice as much as the
            one before.
        kernel: Frames that its convolutions look at.
        dropout: Probability of dropping a channel of a whole clip in training.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "frames",
        video: FrontEndChoice = None,
        channels: Sequence[int] = LEADER,
        kernel: int = KERNEL,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(streams, outputs, head)
        spec = self.stream_of("video")
        self.streams = {spec.name: spec}
        self.video = Track(spec, video, channels, kernel, dropout)
        self.classifier = nn.Linear(channels[-1], outputs)

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the published system; on features of IR-50, `video` is `vectors`."""
        return {"video": "ir50"}

    def forward(self, batch: Batch) -> Output:
        """Values; the bias alone where no face is seen."""
        return self.conclude(*self.read(self.video, batch), self.classifier)


class LeaderFollower(LeaderModel):
    """`leader-follower`: the first video stream leads, all other streams follow.

    Args:
        streams: A video stream and at least one of audio; any number, of any kind.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in.
        video: Front-end of the leader; None for the one that suits it, vectors as they are.
        followers: Front-end of the followers, in the same way.
        channels: Channels of the blocks of the leader's causal network, each dilated twice as much
            as the one before.
        follower_channels: The same of the followers' networks.
        kernel: Frames that all convolutions look at.
        dropout: Probability of dropping a channel of a whole clip in training.
        chained: Compute the queries and values of the followers from their keys instead of from
            their features, as published.
        dead_weights: Hold the published weights that have no effect, so that a checkpoint can be
            loaded and written back whole.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "frames",
        video: FrontEndChoice = None,
        followers: FrontEndChoice = None,
        channels: Sequence[int] = LEADER,
        follower_channels: Sequence[int] = FOLLOWER,
        kernel: int = KERNEL,
        dropout: float = 0.1,
        chained: bool = False,
        dead_weights: bool = False,
    ) -> None:
        super().__init__(streams, outputs, head)
        leader = self.stream_of("video")
        others = [spec for spec in self.streams.values() if spec.name != leader.name]
        self.streams = {spec.name: spec for spec in (leader, *others)}
        self.video = Track(leader, video, channels, kernel, dropout)
        self.followers = nn.ModuleList(
            Track(s, followers, follower_channels, kernel, dropout) for s in others
        )
        sizes = [channels[-1], *(follower_channels[-1] for _ in others)]
        self.attention = StreamAttention(sizes, chained)
        self.dead = nn.ModuleDict()
        if dead_weights:
            self.dead["gn1"], self.dead["gn2"] = nn.GroupNorm(8, 32), nn.GroupNorm(8, 32)
        self.classifier = nn.Linear(channels[-1] + len(sizes) * WIDTH, outputs)

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the published system; on features of IR-50, `video` is `vectors`."""
        return {"video": "ir50", "followers": "vectors", "chained": True, "dead_weights": True}

    def forward(self, batch: Batch) -> Output:
        """Values; an absent stream adds nothing to them."""
        tracks = [self.video, *self.followers]
        series, masks = zip(*(self.read(track, batch) for track in tracks), strict=True)
        present = torch.stack(masks, -1)
        features = torch.cat((series[0], self.attention(series, present).flatten(2)), -1)
        return self.conclude(features, present.any(-1), self.classifier)


class StreamAttention(nn.Module):
    """Streams that attend to one another in every frame, on their own.

    Args:
        sizes: Channels of every stream.
        chained: Compute the queries and values of all streams but the first from their keys.
    """

    def __init__(self, sizes: Sequence[int], chained: bool) -> None:
        super().__init__()
        self.chained = chained
        self.keys = nn.ModuleList(nn.Linear(size, WIDTH) for size in sizes)
        self.queries = nn.ModuleList(nn.Linear(size, WIDTH) for size in sizes)
        self.values = nn.ModuleList(nn.Linear(size, WIDTH) for size in sizes)
        self.norm = StreamNorm(len(sizes), WIDTH)

    def forward(self, series: Sequence[Tensor], present: Tensor) -> Tensor:
        """Values of the streams and what these gather, normalised.

        Args:
            series: (B, L, C), one per stream.
            present: (B, L, S) bool.

        Returns:
            (B, L, S, 32), zero where absent.
        """
        keys = [layer(x) for layer, x in zip(self.keys, series, strict=True)]
        sources = [series[0], *keys[1:]] if self.chained else series
        queries = [layer(x) for layer, x in zip(self.queries, sources, strict=True)]
        values = [layer(x) for layer, x in zip(self.values, sources, strict=True)]
        k, q, v = (torch.stack(x, -2).flatten(0, 1) for x in (keys, queries, values))
        # What is called a key here asks, and what is called a query answers: a matter of names,
        # kept so that the weights have theirs.
        weights = attention_weights(k.unsqueeze(1), q.unsqueeze(1), present.flatten(0, 1))
        gathered = weights.squeeze(1).to(v.dtype) @ v
        normed: Tensor = self.norm((gathered + v).unflatten(0, present.shape[:2]), present)
        return normed


class StreamNorm(nn.Module):
    """Layer normalisation over the channels of all streams that are present.

    Args:
        streams: Number of streams S.
        channels: Channels of each.
    """

    def __init__(self, streams: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(streams, channels))
        self.bias = nn.Parameter(torch.zeros(streams, channels))
        self.eps = 1e-5

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """(B, L, S, C) and (B, L, S) bool -> (B, L, S, C) float32 or wider, zero where absent."""
        mask = present.unsqueeze(-1)
        x = x.to(torch.promote_types(x.dtype, torch.float32)) * mask
        count = (mask.sum((-2, -1), keepdim=True) * x.shape[-1]).clamp(min=1)
        centred = (x - x.sum((-2, -1), keepdim=True) / count) * mask
        variance = centred.square().sum((-2, -1), keepdim=True) / count
        return (centred * (variance + self.eps).rsqrt() * self.weight + self.bias) * mask
