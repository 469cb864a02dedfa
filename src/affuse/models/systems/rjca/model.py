"""Recursive joint attention (Praveen, Granger and Cardinal, ICASSP 2023), as released.

Sequences of 16 steps. A BLSTM over the sound; attention over the image's feature map, guided by
the sound; a BLSTM over what is seen; co-attention of both with their joint features; a BLSTM over
both together; a small network per dimension. Joint cross-attention (Praveen, Cardinal and Granger,
IEEE TBIOM 2023), as released, is the same without the BLSTMs of the single modalities.

Where the published code has a quirk, an option says so; the
defaults are our own, and `published_options` gives the published system.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Head, Model, Output
from affuse.models.frontends.front_end import FrontEnd
from affuse.models.frontends.registry import FrontEndChoice, build_frontend
from affuse.models.layers.alignment import Clock
from affuse.models.layers.dropout import Dropout
from affuse.models.layers.joint_attention import CoAttention, Spatial, SpatialAttention
from affuse.models.layers.projection import projection
from affuse.models.layers.recurrent import RecurrentBlock
from affuse.models.options import check_choice

Regressors = Literal["shared", "separate"]
Absent = Literal["masked", "published"]

HIDDEN = 128  # units of a regressor
RECURRENT_DROPOUT = 0.1  # of the BLSTMs of single modalities; the joint one has none


def cut(x: Tensor, size: int, stride: int) -> Tensor:
    """Series as sequences of frames that lie `stride` apart; see `join`.

    Every `size * stride` frames, from the start on, make `stride` sequences; the last of them are
    filled up.

    Args:
        x: (B, T, ...).
        size: Frames of a sequence.
        stride: Frames from one to the next.

    Returns:
        (N, size, ...).
    """
    missing = -x.shape[1] % (size * stride)
    if missing:
        x = F.pad(x, (*(0, 0) * (x.ndim - 2), 0, missing))
    return x.reshape(-1, size, stride, *x.shape[2:]).transpose(1, 2).flatten(0, 1)


def join(x: Tensor, clips: int, stride: int) -> Tensor:
    """The inverse of `cut`: (N, size, C) -> (B, T', C), with what was filled up."""
    sequences = x.unflatten(0, (clips, -1, stride))  # (B, blocks, stride, size, C)
    return sequences.transpose(2, 3).flatten(1, 3)


def filled(x: Tensor, mask: Tensor, absent: Tensor) -> tuple[Tensor, Tensor]:
    """Series in which nothing is absent.

    Args:
        x: (N, T, ...).
        mask: (N, T) bool.
        absent: (...), what the absent steps are to hold.

    Returns:
        (N, T, ...), and (N, T) bool, all True.
    """
    if torch.compiler.is_exporting() or not mask.all():
        x = torch.where(mask.reshape(*mask.shape, *[1] * absent.ndim), x, absent)
    return x, torch.ones_like(mask)


def xavier(module: nn.Module) -> None:
    """The initialisation of the published linear layers."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class RegressorNets(nn.Module):
    """Two linear layers, for all outputs together or for each alone.

    Args:
        inputs: Channels in.
        outputs: Values out.
        kind: `shared` or `separate`.
        dropout: Probability of dropping a unit in training.
        activation: What is between the layers.
    """

    def __init__(
        self, inputs: int, outputs: int, kind: Regressors, dropout: float, activation: nn.Module
    ) -> None:
        super().__init__()
        self.nets = nn.ModuleList(
            nn.Sequential(
                nn.Linear(inputs, HIDDEN), activation, Dropout(dropout), nn.Linear(HIDDEN, size)
            )
            for size in ([1] * outputs if kind == "separate" else [outputs])
        )

    def forward(self, x: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return torch.cat([net(x) for net in self.nets], -1)


class SequenceModel(Model):
    """What the joint attention models share: steps in sequences of fixed length, regressors.

    One frame of the leader is one step. A series is cut into sequences from its start; sequences do
    not see each other, and what pads the last one is absent. With a stride the steps of a sequence
    lie so many frames apart, and the frames between belong to other sequences: every frame is a
    step of exactly one.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in. Where it is not per frame, the mean over the present steps goes into
            the regressors.
        audio: Front-end of the audio stream; None for its vectors as they are.
        width: Channels of either modality in the fusion; even.
        sequence: Steps of a sequence.
        stride: Frames of the leader from step to step; 32 of 30 Hz as published.
        regressors: `separate` (one network per output, as published) or `shared`; None for
            `shared` where the outputs are classes.
        dropout: Probability of dropping a value in the fusion and in the regressors in training.
        absent: `published` masks nothing: a step without sound or without images has the
            features `absent_audio` or `absent_video`, also the steps that fill up the last
            sequence. `convert` sets these to what the networks before the fusion make of silence
            and of black images; in a new model they are zero.

    Raises:
        AffuseError: An odd width, a sequence without steps, or steps without distance.
    """

    regressors: RegressorNets
    absent_audio: Tensor
    absent_video: Tensor

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "frames",
        audio: FrontEndChoice = None,
        width: int = 512,
        sequence: int = 16,
        stride: int = 1,
        regressors: Regressors | None = None,
        dropout: float = 0.6,
        absent: Absent = "masked",
    ) -> None:
        super().__init__(streams, outputs, head)
        check_choice("absent", absent, Absent)
        kind: Regressors = regressors or ("shared" if head == "classes" else "separate")
        check_choice("regressors", kind, Regressors)
        if sequence < 1:
            raise AffuseError(f"sequence={sequence}: expected at least one step")
        if stride < 1:
            raise AffuseError(f"stride={stride}: expected at least one frame")
        self.width, self.sequence, self.stride = width, sequence, stride
        self.kind, self.dropout = kind, dropout
        specs = self.stream_of("audio"), self.stream_of("video")
        self.streams = {spec.name: spec for spec in specs}
        self.absent = absent
        self.audio = build_frontend(specs[0], audio, plain=True)
        self.add_absent("audio", (self.audio.channels[1],))
        self.audio_projection = projection(self.audio.channels[1], width)

    def add_absent(self, modality: str, shape: tuple[int, ...]) -> None:
        """The features of a step without a modality, where there are such."""
        if self.absent == "published":
            self.register_buffer(f"absent_{modality}", torch.zeros(shape))

    def build_regressors(self, inputs: int, activation: nn.Module) -> RegressorNets:
        """The networks at the end, for so many channels."""
        return RegressorNets(inputs, self.outputs, self.kind, self.dropout, activation)

    @property
    def plain(self) -> bool:
        """Whether the sound goes into the fusion as it is, and each output has its network."""
        direct = not any(True for _ in self.audio.parameters())
        return direct and self.kind == "separate" and self.outputs == 2

    def features(self, frontend: FrontEnd, batch: Batch) -> tuple[Tensor, Tensor]:
        """What a front-end makes of a stream, on the frames of the leader."""
        x, mask = frontend.read(batch)
        return self.on_frames(x, mask, frontend.clock, batch)

    @abstractmethod
    def see(self, batch: Batch, steps: int) -> tuple[Tensor, Tensor]:
        """The video stream on the frames of the leader, L = `steps`: (B, L, ...) and (B, L)."""

    @abstractmethod
    def fuse(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> Tensor:
        """Joint features of sequences.

        Args:
            audio: (N, T, width), zero where absent.
            audio_mask: (N, T) bool.
            video: (N, T, ...), zero where absent.
            video_mask: (N, T) bool.

        Returns:
            (N, T, C).
        """

    def forward(self, batch: Batch) -> Output:
        """Scores; a step is present where either modality is."""
        audio, audio_mask = self.features(self.audio, batch)
        steps = audio.shape[1]
        video, video_mask = self.see(batch, steps)
        known = audio_mask | video_mask
        size = self.sequence, self.stride
        audio, audio_mask, video, video_mask = (
            cut(x, *size) for x in (audio, audio_mask, video, video_mask)
        )
        if self.absent == "published":
            audio, audio_mask = filled(audio, audio_mask, self.absent_audio)
            video, video_mask = filled(video, video_mask, self.absent_video)
        audio = self.audio_projection(audio) * audio_mask.unsqueeze(-1)
        joint = join(self.fuse(audio, audio_mask, video, video_mask), known.shape[0], self.stride)
        features, present = self.summary(joint[:, :steps], known)
        return self.answer(self.regressors(features), present)


class RecursiveJointAttention(SequenceModel):
    """`rjca`: joint co-attention between BLSTMs.

    A video stream of feature maps, frames (C, h, w) of floats, is attended by position; for any
    other a linear layer takes the place of that.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        video: Front-end of the video stream; None for its vectors as they are, or for what suits
            images. Feature maps have none.
        layers: Co-attention layers, each with its own weights.
        spatial: `published` attends to the feature map as published: over mixtures of channels,
            with the sound added per mixture.
        shared: See `SequenceModel`.

    Raises:
        AffuseError: A front-end for feature maps, or no layer.
    """

    #: Whether either modality has a BLSTM of its own.
    recurrent: ClassVar[bool] = True

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        video: FrontEndChoice = None,
        layers: int = 1,
        spatial: Spatial = "positions",
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        check_choice("spatial", spatial, Spatial)
        if layers < 1:
            raise AffuseError(f"layers={layers}: expected at least 1")
        spec, width = self.stream_of("video"), self.width
        self.video: FrontEnd | None = None
        self.spatial: SpatialAttention | None = None
        if spec.kind == "maps" and len(spec.shape) == 3:
            if video is not None:
                raise AffuseError(
                    f"video={video!r}: the feature maps {spec.name} have no front-end"
                )
            self.spatial = SpatialAttention(
                spec.shape[0], spec.shape[1] * spec.shape[2], width, spatial
            )
        else:
            self.video = build_frontend(spec, video, plain=True)
            self.video_projection = nn.Linear(self.video.channels[1], width)
        self.add_absent("video", (self.video.channels[1],) if self.video else spec.shape)
        self.unimodal = nn.ModuleDict()
        if self.recurrent:
            for modality in ("audio", "video"):
                self.unimodal[modality] = RecurrentBlock(width, width, RECURRENT_DROPOUT)
        self.coattention = CoAttention(layers, width, self.sequence, self.dropout)
        self.joint = RecurrentBlock(2 * width, width)
        self.regressors = self.build_regressors(width, nn.ReLU())
        for name, part in self.named_children():
            if name not in ("audio", "video"):
                part.apply(xavier)

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the published system, whose streams are TSAV's features."""
        return {"audio": {"name": "vectors"}, "spatial": "published", "regressors": "separate"}

    def see(self, batch: Batch, steps: int) -> tuple[Tensor, Tensor]:
        """Feature maps (B, L, C, h, w) or vectors (B, L, C)."""
        if self.video is not None:
            return self.features(self.video, batch)
        spec = self.stream_of("video")
        x, mask = batch.streams[spec.name], batch.masks[spec.name]
        if spec.name == self.leader.name:  # spares a copy of what is large
            missing = steps - x.shape[1]
            return F.pad(x, (*(0, 0) * 3, 0, missing)) if missing else x, F.pad(mask, (0, missing))
        x, mask = self.on_frames(x.flatten(2), mask, Clock(spec.name, spec.rate), batch)
        return x.unflatten(2, spec.shape), mask

    def fuse(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> Tensor:
        """Joint features of sequences."""
        audio = F.normalize(audio, dim=-1)
        if self.unimodal:
            audio = self.unimodal["audio"](audio, audio_mask)
        if self.spatial is not None:
            video = self.spatial(video, audio, video_mask)
        else:
            video = self.video_projection(F.normalize(video, dim=-1)) * video_mask.unsqueeze(-1)
        if self.unimodal:
            video = self.unimodal["video"](video, video_mask)
        present = audio_mask | video_mask
        video, audio = self.coattention(video, audio, present)
        joint: Tensor = self.joint(torch.cat((video, audio), -1), present)
        return joint


class JointCrossAttention(RecursiveJointAttention):
    """`jca`: joint co-attention, and a BLSTM after it alone.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        shared: See `RecursiveJointAttention`.
    """

    recurrent = False
