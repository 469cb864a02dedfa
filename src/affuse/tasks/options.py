"""What a recipe says about continuous valence and arousal alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class OverTime:
    """What only `task: valence-arousal` needs.

    Args:
        dimensions: What is learned; all that the corpus has by default.
        loss: `ccc` (1 - CCC over all annotated frames of a batch), or as published `ccc-windows`
            (leader-follower: of every window alone) and `ccc-batch` (joint attention: over all
            frames of a batch, valence and arousal added).
        spliced: Cut frames without annotation out and join the rest before windows are made, and
            count what is absent as input of zeros, as published for leader-follower.
        weights: Of the loss of each dimension in training, such as `{valence: 10, arousal: 1}`; 1
            for those that are not named.
        delay: Seconds by which annotations come after what they are about: what is learned of a
            frame is what was said so much later, and at the end what was said last. The model file
            holds it, and predictions are moved to where annotations lie.
        smoothing: Seconds over which predictions may be averaged; the best on the development
            clips is written into the model file.

    Source: leader-follower attentive fusion (ICCVW 2021) and recursive joint attention (ICASSP
    2023), released code.
    """

    dimensions: tuple[str, ...] = ()
    loss: Literal["ccc", "ccc-windows", "ccc-batch"] = "ccc"
    spliced: bool = False
    weights: dict[str, float] = field(default_factory=dict)
    delay: float = 0.0
    smoothing: tuple[float, ...] = (0.0,)
