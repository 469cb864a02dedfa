"""TSAV: two-stream aural-visual affect analysis (Kuhnke, Rumberg and Ostermann, FG 2020).

A residual network over the spectrogram of a clip, one over its images in space and time; one
linear layer over the features of both, for several tasks at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.backbones.tsav import MELS, R2Plus1D, SpectrogramResNet
from affuse.models.base import Head, Model, Output
from affuse.models.layers.alignment import series_lengths
from affuse.models.layers.dropout import Dropout
from affuse.models.systems.tsav.masked import masked_features

MASK_MEAN, MASK_STD = 0.5, 0.225  # of the published channel that says where the face is


def by_length(
    net: Callable[[Tensor], Tensor], x: Tensor, mask: Tensor, features: int
) -> tuple[Tensor, Tensor]:
    """Features of series of which those of equal length pass a network together.

    Args:
        net: (N, T, ...) -> (N, features).
        x: (B, T, ...).
        mask: (B, T) bool; a series ends with its last present frame.

    Returns:
        (B, features), zero for a series without any frame, and (B, 1) bool, which have one.
    """
    lengths = series_lengths(F.pad(mask, (0, 1)))  # there may be no frame at all
    rows, parts = [], []
    for length in lengths.unique().tolist():
        if length:
            same = (lengths == length).nonzero().squeeze(1)
            rows.append(same)
            parts.append(net(x[same, :length]))
    result = x.new_zeros(len(x), features)
    if parts:
        found = torch.cat(parts)
        result = result.to(found.dtype).index_put((torch.cat(rows),), found)
    return result, (lengths > 0).unsqueeze(1)


class TwoStreamAuralVisual(Model):
    """`tsav`: a spectrogram and a clip of faces to one answer.

    An absent modality has features of zero.

    Args:
        streams: An audio stream of 64 log-mel bands and a video stream of images.
        outputs: Number of classes C or of dimensions D.
        head: What it ends in: `classes`.
        auxiliary: Name -> number of values of further tasks, answered by the same linear layer.
        channels: Channels that the video network reads: 3 (RGB), or 4 as published, with a mask
            of the face.
        face_mask: What stands for that mask at every pixel: 1 face, 0 none. No stream has it.
        pictures: The first image that the video network sees, the one after the last, and, where
            it does not see all between, the distance from one to the next; None for all. Published
            are 8 up to the middle of the window, [108, 151, 6] of 10 s at 30 Hz.
        dropout: Probability of dropping a feature in training.

    Raises:
        AffuseError: A head per frame, streams of another kind, or such images do not exist.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        head: Head = "classes",
        auxiliary: Mapping[str, int] | None = None,
        channels: int = 3,
        face_mask: float = 1.0,
        pictures: Sequence[int] | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(streams, outputs, head)
        if head == "frames":
            raise AffuseError("head='frames': tsav answers once per clip; use head='classes'")
        if channels not in (3, 4):
            raise AffuseError(f"channels={channels}: expected 3 or 4")
        chosen = slice(*pictures) if pictures is not None else slice(0, None)
        if chosen.stop is not None and not 0 <= chosen.start < chosen.stop:
            raise AffuseError(f"pictures={pictures}: expected a first and a later one")
        sound, picture = self.stream_of("audio"), self.stream_of("video")
        if sound.shape != (MELS,):
            raise AffuseError(f"tsav hears 64 log-mel bands; {sound.name} has frames {sound.shape}")
        if not picture.is_picture:
            raise AffuseError(f"tsav sees images; {picture.name} holds none")
        self.streams = {spec.name: spec for spec in (sound, picture)}
        self.tasks = dict(auxiliary or {})
        self.face_mask = (face_mask - MASK_MEAN) / MASK_STD
        self.pictures = chosen
        self.audio = SpectrogramResNet()
        self.video = R2Plus1D(channels)
        self.dropout = Dropout(dropout)
        features = self.audio.outputs + self.video.outputs
        self.classifier = nn.Linear(features, outputs + sum(self.tasks.values()))

    def hear(self, levels: Tensor) -> Tensor:
        """(N, T, 64) -> (N, 512)."""
        return self.audio(levels.transpose(1, 2).unsqueeze(1))

    def look(self, pictures: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, 512)."""
        return self.video(self._clips(pictures))

    def _clips(self, pictures: Tensor) -> Tensor:
        """(N, T, 3, H, W) -> (N, 3 or 4, T, H, W)."""
        if self.video.channels == 4:
            face = torch.full_like(pictures[:, :, :1], self.face_mask)
            pictures = torch.cat((pictures, face), 2)
        return pictures.transpose(1, 2)

    def forward(self, batch: Batch) -> Output:
        """Scores; padding never enters a convolution."""
        levels, pictures = (batch.streams[name] for name in self.streams)
        sound, sight = (batch.masks[name] for name in self.streams)
        pictures, sight = pictures[:, self.pictures], sight[:, self.pictures]
        if torch.compiler.is_exporting():  # a graph has no rows that depend on values
            spectrograms = levels.transpose(1, 2).unsqueeze(1)
            heard, audio_there = masked_features(self.audio, spectrograms, sound, 3)
            seen, video_there = masked_features(self.video, self._clips(pictures), sight, 2)
        else:
            heard, audio_there = by_length(self.hear, levels, sound, self.audio.outputs)
            seen, video_there = by_length(self.look, pictures, sight, self.video.outputs)
        scores = self.classifier(self.dropout(torch.cat((heard, seen), 1)))
        main, *others = scores.split([self.outputs, *self.tasks.values()], 1)
        auxiliary = dict(zip(self.tasks, others, strict=True))
        return self.answer(main, audio_there | video_there, auxiliary)
