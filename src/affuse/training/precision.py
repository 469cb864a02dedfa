"""Which numbers a training computes with."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["32", "bf16-mixed", "16-mixed"]


def precision_here(chosen: Precision | Literal["auto"], device: str = "auto") -> Precision:
    """What `auto` is here: `bf16-mixed` where GPU or processor has instructions for it, or `32`.

    Args:
        chosen: What the recipe says.
        device: Where it is computed, as `train` takes it.
    """
    if chosen != "auto":
        return chosen
    if torch.cuda.is_available() and device.split(":")[0] in ("auto", "cuda"):
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    has = torch.cpu.get_capabilities()
    return "bf16-mixed" if has.get("avx512_bf16") or has.get("amx_bf16") else "32"
