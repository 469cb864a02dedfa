"""From one width to another."""

from __future__ import annotations

from torch import nn


def projection(inputs: int, outputs: int, bias: bool = True) -> nn.Module:
    """A linear layer, or nothing where the widths are equal."""
    return nn.Identity() if inputs == outputs else nn.Linear(inputs, outputs, bias)
