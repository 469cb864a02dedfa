"""Where a training computes."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from affuse.errors import AffuseError
from affuse.models.modelfile import move_to
from affuse.training.processes import Processes, processes


def trainer_device(name: str) -> dict[str, Any]:
    """What Lightning's trainer must be told to train on one device, or on one of each process.

    Args:
        name: `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:<number>` or `mps`.

    Raises:
        AffuseError: Another name, or no such device here.
    """
    several = processes()
    if several.count > 1:
        return _devices(name, several)
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


def _devices(name: str, several: Processes) -> dict[str, Any]:
    """What the trainer must be told in one of several processes; each has a device."""
    if name not in ("auto", "cpu", "cuda"):
        raise AffuseError(f"device {name!r}: several processes take auto, cpu or cuda")
    gpus = torch.cuda.device_count()
    kind = name if name != "auto" else "cuda" if gpus else "cpu"
    if kind == "cuda" and gpus < several.here:
        raise AffuseError(
            f"{several.here} processes on a machine on which each sees {gpus} GPUs: start as many "
            "processes as GPUs, and let all of them see all GPUs"
        )
    if kind == "cuda":
        torch.cuda.set_device(several.cluster.local_rank())
    return {
        "accelerator": kind,
        "devices": several.here,
        "num_nodes": several.count // several.here,
    }
