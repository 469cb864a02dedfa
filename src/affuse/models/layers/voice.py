"""Whether somebody is heard in a sound."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Seconds that are heard together.
_SPAN = 0.5


class VoiceDetector(nn.Module):
    """A linear layer on features of sound, each the mean over half a second.

    Args:
        channels: Values of a frame.
        rate: Frames per second in Hz.
    """

    def __init__(self, channels: int, rate: float) -> None:
        super().__init__()
        self.span = max(1, round(_SPAN * rate))
        self.score = nn.Linear(channels, 1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Share of the frames (B, T, C) that are present (B, T) in which a voice is heard.

        Returns:
            (B,) from 0 to 1; NaN without a frame.
        """
        scores = averaged_around(self.score(x), mask, self.span).squeeze(-1)
        heard = (scores > 0) & mask
        return heard.sum(1) / mask.sum(1)


def averaged_around(x: Tensor, mask: Tensor, span: int) -> Tensor:
    """Means of the frames (B, T, C) that are present (B, T) among `span` around each, (B, T, C)."""
    weight = mask.unsqueeze(-1).to(x.dtype)
    both = torch.cat((x * weight, weight), -1).transpose(1, 2)
    both = F.pad(both, (span // 2, (span - 1) // 2))
    total, count = F.avg_pool1d(both, span, 1).transpose(1, 2).split([x.shape[-1], 1], -1)
    return total / count.clamp(min=0.5 / span)
