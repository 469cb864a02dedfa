"""AuxFormer: cross-modal transformers beside one per modality (Goncalves and Busso, ICASSP 2022).

Either modality attends to the other, then to itself, and the last frames of both are classified
together. Beside this main network each modality alone passes an encoder three times, and one
classifier shared by both reads its last frame. The decision is the mean of the three.

Where the published code has a quirk, an option says so; the
defaults are our own, and `published_options` gives the published system.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.base import Output
from affuse.models.frontends.front_end import FrontEnd
from affuse.models.layers.alignment import series_lengths
from affuse.models.layers.dropout import Dropout
from affuse.models.layers.encoder import Encoder, EncoderDropout, Steps, sinusoids, visible
from affuse.models.layers.framewise import FrameEmbedder
from affuse.models.layers.projection import projection
from affuse.models.options import check_choice
from affuse.models.pair import PairModel

Padding = Literal["exclude", "published"]

#: How often the encoder of a modality alone is applied.
_PASSES = 3


class AuxFormer(PairModel):
    """`auxformer`: a cross-modal transformer and an auxiliary network for either modality.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        width: Channels of all encoders. A modality with another number of channels is projected
            to it by a linear layer without bias.
        heads: Attention heads; they divide the width.
        layers: Layers of each of the six encoders.
        band: A frame attends to those up to its own number only, plus the difference of lengths
            where it attends to the other modality. False: to all.
        padding: `exclude` counts every stream of every clip from its first present frame to its
            last one, leaves absent frames out of attention, and an absent modality out of the
            decision. `published` is as published: no masks, lengths of the padded batch, its last
            frame classified, and no position where the first channel is exactly 0. Both give the
            same for a clip alone that is present throughout.
        attention_dropout: Probability of dropping an attention weight within a modality; between
            the modalities none is dropped.
        relu_dropout: Probability of dropping a hidden unit of the encoders.
        residual_dropout: Probability of dropping a value that a block of the encoders adds.
        embedding_dropout: Probability of dropping a value that enters an encoder.
        output_dropout: Probability of dropping a hidden unit of the classifiers.
        shared: See `PairModel`. Where the head is per frame, every frame is scored where otherwise
            the last one is.
    """

    plain = True

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        width: int = 50,
        heads: int = 10,
        layers: int = 5,
        band: bool = True,
        padding: Padding = "exclude",
        attention_dropout: float = 0.1,
        relu_dropout: float = 0.1,
        residual_dropout: float = 0.1,
        embedding_dropout: float = 0.25,
        output_dropout: float = 0.2,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        check_choice("padding", padding, Padding)
        self.band, self.padding = band, padding
        self.project_audio = projection(self.audio.channels[1], width, bias=False)
        self.project_video = projection(self.video.channels[1], width, bias=False)
        dropout = EncoderDropout(
            attention_dropout, relu_dropout, residual_dropout, embedding_dropout
        )
        between = replace(dropout, attention=0.0)
        self.audio_from_video = Encoder(width, layers, heads, between)
        self.video_from_audio = Encoder(width, layers, heads, between)
        self.audio_memory = Encoder(width, layers, heads, dropout, scaled=True)
        self.video_memory = Encoder(width, layers, heads, dropout, scaled=True)
        self.audio_alone = Encoder(width, layers, heads, dropout)
        self.video_alone = Encoder(width, layers, heads, dropout)
        self.main = nn.Sequential(
            ResidualLayers(2 * width, [2 * width], output_dropout), nn.Linear(2 * width, outputs)
        )
        self.auxiliary = nn.Sequential(
            ResidualLayers(width, [512, 256], output_dropout), nn.Linear(width, outputs)
        )

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the published system."""
        return {"audio": "vectors", "video": "vectors", "padding": "published"}

    def forward(self, batch: Batch) -> Output:
        """The mean of the scores of `main`, `audio` and `video`, which are the auxiliary heads.

        An absent modality adds nothing to the main network and is left out of the mean.
        """
        a, heard = self._series(self.audio, self.project_audio, batch)
        v, seen = self._series(self.video, self.project_video, batch)
        at_a, at_v = self._places(a, heard), self._places(v, seen)
        within_a = visible(heard, heard, self.band)
        within_v = visible(seen, seen, self.band)

        both_a = self.audio_from_video(a, visible(heard, seen, self.band), at_a, v, at_v)
        both_v = self.video_from_audio(v, visible(seen, heard, self.band), at_v, a, at_a)
        both_a = self.audio_memory(both_a, within_a)
        both_v = self.video_memory(both_v, within_v)
        for _ in range(_PASSES):
            a, v = self.audio_alone(a, within_a), self.video_alone(v, within_v)

        def read(x: Tensor, steps: Steps, frontend: FrontEnd) -> tuple[Tensor, Tensor]:
            return self.over_time(x, steps.mask, frontend.clock, batch, last_present)

        (joint_a, there_a), (alone_a, _) = (read(x, heard, self.audio) for x in (both_a, a))
        (joint_v, there_v), (alone_v, _) = (read(x, seen, self.video) for x in (both_v, v))
        scores = {
            "main": self.main(torch.cat((joint_a, joint_v), -1)),
            "audio": self.auxiliary(alone_a),
            "video": self.auxiliary(alone_v),
        }
        total = scores["main"] + scores["audio"] * there_a + scores["video"] * there_v
        decision = total / (1 + there_a.int() + there_v.int())
        return self.answer(decision, there_a | there_v, scores)

    def frame_embedders(self) -> dict[str, FrameEmbedder]:
        """None where absent frames count as input; see `Model.frame_embedders`."""
        return {} if self.padding == "published" else super().frame_embedders()

    def _series(self, frontend: FrontEnd, project: nn.Module, batch: Batch) -> tuple[Tensor, Steps]:
        """The frames of a modality, (B, T, width), and how they are counted."""
        x, mask = frontend.read(batch.all_present() if self.padding == "published" else batch)
        # Attention costs the square of the length, and windows are longer than most clips. A
        # compiled graph keeps the length that it is given, and a head per frame its times.
        if self.head != "frames" and not torch.compiler.is_compiling():
            x, mask = trimmed(x, mask)
        return project(x), Steps.of(mask)

    def _places(self, x: Tensor, steps: Steps) -> Tensor:
        """(B, T, width), the position embeddings of a series."""
        placed = x[..., 0] != 0 if self.padding == "published" else steps.mask
        return sinusoids((steps.index + 1) * placed, x.shape[-1])


class AuxFormerICASSP(AuxFormer):
    """`auxformer-icassp`: the first release, wider, on hand-made features of sound.

    Args:
        streams: An audio and a video stream.
        outputs: Number of classes C or of dimensions D.
        width: Channels of all encoders.
        shared: See `AuxFormer`.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        width: int = 130,
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, width=width, **shared)


class ResidualLayers(nn.Module):
    """Linear layers with ReLU and dropout between, added to what enters.

    Args:
        width: Channels in and out.
        hidden: Channels after each layer but the last.
        dropout: Probability of dropping a hidden unit in training.
    """

    def __init__(self, width: int, hidden: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*x) for x in pairwise((width, *hidden, width)))
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> (..., width)."""
        added = self.layers[0](x)
        for layer in self.layers[1:]:
            added = layer(self.dropout(F.relu(added)))
        return added + x


def last_present(x: Tensor, mask: Tensor) -> Tensor:
    """The last frame that is present: (B, T, C), (B, T) -> (B, C), zero where there is none."""
    last = (series_lengths(mask) - 1).clamp(min=0)
    chosen = x.gather(1, last[:, None, None].expand(-1, 1, x.shape[-1])).squeeze(1)
    return chosen * mask.any(1, keepdim=True)


def trimmed(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """A batch without the frames, before all others or after them, that are absent in all clips.

    Args:
        x: (B, T, C).
        mask: (B, T) bool.

    Returns:
        (B, T', C) and (B, T'), one frame at least.
    """
    if torch.compiler.is_exporting():  # a graph has no lengths that depend on values
        return x, mask
    present = mask.any(0).nonzero()
    extent = slice(int(present[0]), int(present[-1]) + 1) if len(present) else slice(1)
    return x[:, extent], mask[:, extent]
