"""How much was known of a person before they were predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from affuse.tasks.columns import Column

_SAID = {"audio": "voice", "video": "face"}


@dataclass(frozen=True)
class OwnBaseline:
    """What a person was standardised by, of models that were trained with `normalisation: speaker`.

    Args:
        recordings: How many recordings of the person it is of.
        seconds: Modality -> seconds that are known; 0 for nothing.
    """

    recordings: int
    seconds: Mapping[str, float]

    @property
    def summary(self) -> str:
        """In a sentence."""
        there = [f"{s:.1f} s of {_SAID[name]}" for name, s in self.seconds.items() if s]
        if not there:
            return "no baseline: nothing was known of this person, who is compared with the corpus"
        many = f"{self.recordings} recording{'s' if self.recordings > 1 else ''}"
        return f"baseline: {' and '.join(there)} of this person, from {many}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "recordings": self.recordings,
            "seconds": {name: round(s, 3) for name, s in self.seconds.items()},
        }

    def columns(self, rows: int) -> list[Column]:
        """Seconds, the same in every row of a table."""
        return [Column(f"{n}_baseline", np.full(rows, s), 1) for n, s in self.seconds.items()]
