"""Co-attention of two modalities with their joint features, and attention over a feature map.

Steps of a sequence are (N, T, C) with a mask (N, T); an absent step is zero going in and out.

Source: recursive joint attention (ICASSP 2023), released code.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from affuse.models.layers.dropout import Dropout

Spatial = Literal["positions", "published"]


class SpatialAttention(nn.Module):
    """What sound directs attention to in the feature map of each step.

    Args:
        channels: Channels C of the map.
        positions: Its positions P, which are also the units of the attention.
        width: Channels of the audio features and of the result.
        spatial: `published` reads the map (C, P) as P rows of C values, so that a row mixes the
            positions of several channels, and adds what comes from the sound per row instead of
            per unit.
    """

    def __init__(self, channels: int, positions: int, width: int, spatial: Spatial) -> None:
        super().__init__()
        self.spatial = spatial
        self.video = nn.Linear(channels, channels)
        self.audio = nn.Linear(width, width)
        self.video_units = nn.Linear(channels, positions, bias=False)
        self.audio_units = nn.Linear(width, positions, bias=False)
        self.score = nn.Linear(positions, 1, bias=False)
        self.out = nn.Linear(channels, width)

    def forward(self, maps: Tensor, audio: Tensor, mask: Tensor) -> Tensor:
        """What is seen at the attended positions.

        Args:
            maps: (N, T, C, h, w).
            audio: (N, T, width).
            mask: (N, T) bool, which maps are present.

        Returns:
            (N, T, width), zero where absent.
        """
        if torch.compiler.is_exporting():  # a graph has no rows that depend on values
            context = self._context(maps.flatten(0, 1), audio.flatten(0, 1))
            return context.unflatten(0, mask.shape) * mask.unsqueeze(-1)
        context = self._context(maps[mask], audio[mask])
        return context.new_zeros(*mask.shape, context.shape[1]).index_put((mask,), context)

    def _context(self, maps: Tensor, audio: Tensor) -> Tensor:
        """The same of single steps: (N, C, h, w) and (N, width) -> (N, width)."""
        present = maps.flatten(2)
        rows = F.normalize(present.flatten(1)).view_as(present)
        heard = self.audio_units(F.relu(self.audio(audio)))
        if self.spatial == "published":
            rows = rows.reshape(len(rows), rows.shape[2], rows.shape[1])
            heard = heard.unsqueeze(2)
        else:
            rows, heard = rows.transpose(1, 2), heard.unsqueeze(1)
        seen = self.video_units(F.relu(self.video(rows)))
        weights = self.score(torch.tanh(seen + heard)).softmax(1)
        context: Tensor = self.out((weights.transpose(1, 2).to(rows.dtype) @ rows).squeeze(1))
        return context


class JointAffinity(nn.Module):
    """What each modality gathers by its correlation with the joint features.

    Args:
        width: Channels of either modality.
        sequence: Steps T.
        dropout: Probability of dropping a correlation in training.
    """

    def __init__(self, width: int, sequence: int, dropout: float) -> None:
        super().__init__()
        self.query = nn.Linear(2 * width, 2 * width)
        self.video_key, self.audio_key = (nn.Linear(sequence, sequence) for _ in range(2))
        self.video_value, self.audio_value = (nn.Linear(width, width) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, video: Tensor, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, width), (N, T, width), (N, T) -> twice (N, T, 2 width), not masked."""
        joint = torch.cat((video, audio), -1)
        # Masked, because the bias would let absent steps take part; scaled here, where it is small.
        query = self.query(joint) * (mask.unsqueeze(-1) * joint.shape[-1] ** -0.5)
        return (
            self._gather(video, self.video_key, self.video_value, query),
            self._gather(audio, self.audio_key, self.audio_value, query),
        )

    def _gather(self, x: Tensor, key: nn.Linear, value: nn.Linear, query: Tensor) -> Tensor:
        correlation = torch.tanh(key(x.transpose(1, 2)) @ query)
        return F.relu(torch.tanh(value(x) @ self.dropout(correlation)))


class CoAttentionLayer(nn.Module):
    """Either modality and what it gathers.

    Args:
        width: Channels of either modality.
        sequence: Steps T.
        dropout: Probability of dropping a correlation or a gathered value in training.
    """

    def __init__(self, width: int, sequence: int, dropout: float) -> None:
        super().__init__()
        self.affinity = JointAffinity(width, sequence, dropout)
        self.video_out, self.audio_out = (nn.Linear(2 * width, width) for _ in range(2))
        self.dropout = Dropout(dropout)

    def forward(self, video: Tensor, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, width), (N, T, width), (N, T) -> the same."""
        for_video, for_audio = self.affinity(video, audio, mask)
        video = video + self.dropout(F.relu(self.video_out(for_video)))
        audio = audio + self.dropout(F.relu(self.audio_out(for_audio)))
        return video * mask.unsqueeze(-1), audio * mask.unsqueeze(-1)


class CoAttention(nn.Module):
    """Co-attention layers one after another, each with its own weights.

    Args:
        layers: Number of layers.
        width: Channels of either modality.
        sequence: Steps T.
        dropout: Probability of dropping a correlation or a gathered value in training.
    """

    def __init__(self, layers: int, width: int, sequence: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            CoAttentionLayer(width, sequence, dropout) for _ in range(layers)
        )

    def forward(self, video: Tensor, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """The attended modalities.

        Args:
            video: (N, T, width).
            audio: (N, T, width).
            mask: (N, T) bool, at which steps either modality is present.

        Returns:
            Video and audio, (N, T, width); a modality that is absent at a present step holds what
            it gathered.
        """
        for layer in self.layers:
            video, audio = layer(video, audio, mask)
        return video, audio
