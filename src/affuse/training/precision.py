"""Which numbers a training computes with."""

from __future__ import annotations

from typing import Literal

import torch

Precision = Literal["32", "bf16-mixed", "16-mixed"]


def precision_here(chosen: Precision | Literal["auto"]) -> Precision:
    """What `auto` is here: `bf16-mixed` where GPU or processor has instructions for it, or `32`."""
    if chosen != "auto":
        return chosen
    if torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    has = torch.cpu.get_capabilities()
    return "bf16-mixed" if has.get("avx512_bf16") or has.get("amx_bf16") else "32"
