"""Weights of the published systems, by the filling rule of the parity cases."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from affuse.verification.parity import load_fill


def filled(parity_cases: Path, listing: str, seed: int = 1) -> dict[str, Tensor]:
    """Published entries of a listing with values from the rule."""
    folder = parity_cases.parent
    path = folder / "state_dicts" / f"{listing}.txt"
    values = load_fill(folder / "fill.py").fill_listing(path, seed)
    return {name: torch.from_numpy(x) for name, x in values.items()}


class Malicious:
    """Runs code where a pickle with it is opened."""

    def __reduce__(self) -> Any:
        return os.getenv, ("HOME",)
