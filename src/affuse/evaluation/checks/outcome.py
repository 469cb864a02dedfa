"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

#: How a number is written: share of 1 in percent, difference of shares in points, anything else, or
#: a difference that should be rounding alone.
Unit = Literal["share", "points", "value", "rounding"]

Best = Literal["max", "above", "min"]


class NotApplicable(Exception):
    """A check does not fit a model or a store; the message is the reason."""


@dataclass(frozen=True)
class Bar:
    """A part of what was measured.

    Args:
        name: Such as a class, or a group of clips.
        value: In the unit of the outcome.
        limit: Of this part, or of its amount either way; None where the limit is of all together.
    """

    name: str
    value: float
    limit: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What a check found.

    Args:
        measured: The value that decides.
        limit: What it is held against.
        best: Which values pass: `max` those from the limit upwards, `above` those above it, `min`
            those up to it.
        unit: Of both.
        said: What was measured, of what, in a few words.
        why: Where the limit comes from.
        bars: Parts of it, for a figure.
    """

    measured: float
    limit: float
    best: Best
    unit: Unit
    said: str
    why: str
    bars: list[Bar] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether the value is within the limit; one that is not a number never is."""
        if self.best == "above":
            return self.measured > self.limit
        if self.best == "max":
            return self.measured >= self.limit
        return self.measured <= self.limit


def written(value: float, unit: Unit) -> str:
    """A number in its unit."""
    if unit == "share":
        return f"{value:.1%}"
    if unit == "points":
        return f"{100 * value:.1f} points"
    return f"{value:.1e}" if unit == "rounding" else f"{value:.3f}"
