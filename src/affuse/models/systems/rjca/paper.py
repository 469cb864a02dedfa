"""Recursive joint attention (Praveen, Granger and Cardinal, ICASSP 2023), by the paper's formula.

X_a, X_v: a sequence's features (d, T), behind a BLSTM each; J: both together. One recursion is
    C = tanh(X^T W_j J / sqrt d),  H = ReLU(W X + W_c C^T),  X <- W_h H + X
for either modality, with the weights of the first; J is made of the new X. A BLSTM over both
together follows. The released code holds the formula without BLSTMs and recursions in a file that
nothing uses; `published_options` gives that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.errors import AffuseError
from affuse.features.batch import Batch
from affuse.features.stream import StreamSpec
from affuse.models.frontends.registry import FrontEndChoice, build_frontend
from affuse.models.layers.projection import projection
from affuse.models.layers.recurrent import RecurrentBlock
from affuse.models.options import check_choice
from affuse.models.systems.rjca.model import RECURRENT_DROPOUT, SequenceModel, xavier

Readout = Literal["attended", "published"]
_RECURSIONS = 100  # at most; the paper has three


class JointAttentionFormula(nn.Module):
    """The formula for one modality.

    Args:
        width: Channels d of the modality; the joint features have twice as many.
        sequence: Steps T.
        units: Rows of H.
    """

    def __init__(self, width: int, sequence: int, units: int) -> None:
        super().__init__()
        self.joint = nn.Linear(sequence, sequence, bias=False)
        self.correlation = nn.Linear(2 * width, units, bias=False)
        self.own = nn.Linear(sequence, units, bias=False)
        self.out = nn.Linear(units, sequence, bias=False)

    def forward(self, x: Tensor, joint: Tensor) -> Tensor:
        """(N, T, width) and (N, T, 2 width), absent steps zero -> (N, T, width), not masked."""
        series = x.transpose(1, 2)
        mixed = self.joint(joint.transpose(1, 2)).transpose(1, 2) * joint.shape[-1] ** -0.5
        attended = F.relu(self.correlation(torch.tanh(series @ mixed)) + self.own(series))
        return self.out(attended).transpose(1, 2) + x


class PaperJointAttention(SequenceModel):
    """`rjca-paper`: the recursion of the paper.

    Args:
        streams: An audio and a video stream, of vectors or behind a front-end that gives them.
        outputs: Number of classes C or of dimensions D.
        video: Front-end of the video stream; None for its vectors as they are.
        recursions: How often the formula is applied, with the same weights; 1 or more.
        recurrent: Whether there are BLSTMs before and after.
        units: Rows of H.
        readout: `attended`: regressors with a ReLU on both attended modalities. `published`:
            without it, on the video features as they came in beside the attended ones, as in the
            released file; the sound then has an effect through J alone.
        shared: See `SequenceModel`.

    Raises:
        AffuseError: No recursion, or too many.
    """

    def __init__(
        self,
        streams: Mapping[str, StreamSpec],
        outputs: int,
        *,
        video: FrontEndChoice = None,
        recursions: int = 3,
        recurrent: bool = True,
        units: int = 32,
        readout: Readout = "attended",
        **shared: Any,
    ) -> None:
        super().__init__(streams, outputs, **shared)
        check_choice("readout", readout, Readout)
        if not 1 <= recursions <= _RECURSIONS:
            raise AffuseError(f"recursions={recursions}: expected 1 to {_RECURSIONS}")
        self.recursions, self.readout = recursions, readout
        width = self.width
        self.video = build_frontend(self.stream_of("video"), video, plain=True)
        seen = self.video.channels[1]
        self.video_projection = projection(seen, width)
        self.add_absent("video", (seen,))
        self.attention = nn.ModuleDict(
            {
                modality: JointAttentionFormula(width, self.sequence, units)
                for modality in ("audio", "video")
            }
        )
        read = width + (width if readout == "attended" else seen)
        self.unimodal = nn.ModuleDict()
        if recurrent:
            for modality in self.attention:
                self.unimodal[modality] = RecurrentBlock(width, width, RECURRENT_DROPOUT)
            self.joint = RecurrentBlock(read, width)
            read = width
        activation = nn.ReLU() if readout == "attended" else nn.Identity()
        self.regressors = self.build_regressors(read, activation)
        for name, part in self.named_children():
            if name not in ("audio", "video"):
                part.apply(xavier)

    @classmethod
    def published_options(cls) -> dict[str, Any]:
        """The options of the formula in the released code."""
        return {
            "audio": {"name": "vectors"},
            "video": {"name": "vectors"},
            "width": 128,
            "recursions": 1,
            "recurrent": False,
            "readout": "published",
            "regressors": "separate",
        }

    def see(self, batch: Batch, steps: int) -> tuple[Tensor, Tensor]:
        """Vectors (B, L, C)."""
        return self.features(self.video, batch)

    def fuse(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> Tensor:
        """Joint features of sequences."""
        raw = video
        video = self.video_projection(video) * video_mask.unsqueeze(-1)
        if self.unimodal:
            audio = self.unimodal["audio"](audio, audio_mask)
            video = self.unimodal["video"](video, video_mask)
        present = (audio_mask | video_mask).unsqueeze(-1)
        for _ in range(self.recursions):
            joint = torch.cat((audio, video), -1)
            audio, video = (
                self.attention[modality](x, joint) * present
                for modality, x in (("audio", audio), ("video", video))
            )
        joint = torch.cat((audio if self.readout == "attended" else raw, video), -1)
        if self.unimodal:
            joint = self.joint(joint, present.squeeze(-1))
        return joint
