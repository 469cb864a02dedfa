"""What every section is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Name and value of a figure; values are JSON values.
Figures = Iterator[tuple[str, Any]]
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Setting:
    """Where a section runs, and for how long.

    Args:
        device: Torch device, `cuda` or `cpu`.
        quick: Whether a small version is enough.
        limit: Seconds that the section has.
        data: Folder of the data sets; sections about those that are not there say `absent`.
        work: Folder for files, of this section alone.
    """

    device: str
    quick: bool
    limit: float
    data: Path
    work: Path
    began: float = field(default_factory=time.monotonic)

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self.limit - (time.monotonic() - self.began)
