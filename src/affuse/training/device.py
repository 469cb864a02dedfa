"""Where a training computes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from affuse.errors import AffuseError
from affuse.models.modelfile import move_to


def trainer_device(name: str) -> dict[str, Any]:
    """What Lightning's trainer must be told to train on one device.

    Args:
        name: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:<number>` or `mps`.

    Raises:
        AffuseError: Another name, or no such device here.
    """
    if name == "auto":
        return {"accelerator": "auto", "devices": 1}
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda", "mps"):
        raise AffuseError(f"device {name!r}: expected auto, cpu, cuda, cuda:<number> or mps")
    move_to(nn.Linear(1, 1), name)
    numbered = device.type == "cuda" and device.index is not None
    return {"accelerator": device.type, "devices": [device.index] if numbered else 1}
