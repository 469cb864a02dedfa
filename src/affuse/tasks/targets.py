"""What the clips of a store are to be learned as, or judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.store import Store

#: Stream with the annotation of a clip.
ANNOTATION = "label/valence-arousal"

#: Clip id, start and length of a window in seconds -> the target of that window.
Target = Callable[[str, float, float], np.ndarray]


@dataclass(frozen=True)
class TrainingTargets:
    """The clips that can be learned from, and as what.

    Args:
        clips: In the order of the store.
        names: Of the classes or dimensions.
        target: () int64 class, (C,) float32 shares or (T, D) float32 values at `TARGET_RATE`.
        unused: Reason -> number of clips that have their streams and nothing to learn.
        votes: Clip id -> (C,) number of raters per class, where labels come from votes.
        majority: Clips of whose votes one class has more than half.
        open: Clips that can be predicted, but neither learned from nor judged.
        file: Of `labels.file`: its name, digest, and number of missing clips.
    """

    clips: list[Clip]
    names: list[str]
    target: Target
    unused: dict[str, int]
    votes: dict[str, np.ndarray]
    majority: frozenset[str] = frozenset()
    open: list[Clip] = field(default_factory=list)
    file: dict[str, Any] = field(default_factory=dict)

    def class_of(self, clip: str) -> str:
        """The class of a clip by the label rule: the first of those with the largest share."""
        target = self.target(clip, 0.0, 0.0)
        return self.names[int(target.argmax() if target.ndim else target)]

    def checked(self, data: Store) -> TrainingTargets:
        """The same, if there is anything to learn.

        Args:
            data: The store that they are of.

        Raises:
            BadInput: No clip has a label.
        """
        if not self.clips:
            reasons = ", ".join(f"{n} {reason}" for reason, n in self.unused.items())
            raise BadInput(data.path, f"has no clip with a label ({reasons or 'no clips'})")
        return self
