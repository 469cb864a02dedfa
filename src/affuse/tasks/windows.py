"""Where windows lie in a recording, and what is said about each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from affuse.errors import AffuseError
from affuse.features.stream import Stream


class NotFinite(AffuseError):
    """What a model says about a window is not finite.

    Args:
        row: Of the window in its batch.
        of: What the window is of.
    """

    def __init__(self, row: int = 0, of: str = "") -> None:
        super().__init__("gives numbers that are not finite" + (f" for clip {of}" if of else ""))
        self.row = row


#: The streams of a window, by name.
Sample = dict[str, Stream]


@dataclass(frozen=True)
class WindowPlan:
    """The windows of a recording.

    Args:
        starts: (W,) seconds, ascending.
        seconds: Length of each.
        spans: Of tasks with outputs for every frame: (first frame, frame after the last) of each.
        frames: Of these tasks: frames of the whole recording.
        rate: Of these tasks: frames per second in Hz.
    """

    starts: np.ndarray
    seconds: float
    spans: tuple[tuple[int, int], ...] = ()
    frames: int = 0
    rate: float = 0.0

    def name_of(self, window: int, recording: str) -> str:
        """What the random numbers of a condition depend on, of one window."""
        return f"{recording} {self.spans[window][0]}" if self.spans and recording else recording


@dataclass(frozen=True)
class WindowAnswer:
    """What a model says about one window.

    Args:
        values: (C,) float32 probabilities, NaN where nothing is present; or (L, D) float32 values.
        mask: (L,) bool, which values rest on something; None for probabilities.
        ratings: Name -> further values that a model of classes reads; NaN where it sees nothing.
        anyway: (C,) what a model of classes says whatever is present.
        voice: Share of its sound in which somebody is heard; NaN without sound, or of a model that
            does not tell.
        modalities: Those that count, of a model of classes.
    """

    values: np.ndarray
    mask: np.ndarray | None = None
    ratings: Mapping[str, float] = field(default_factory=dict)
    anyway: np.ndarray | None = None
    voice: float = np.nan
    modalities: frozenset[str] = frozenset()


#: Windows -> what a model says about each.
Answers = Callable[[list[Sample]], list[WindowAnswer]]


def is_empty(sample: Sample) -> bool:
    """Whether nothing is present in a window."""
    return not any(stream.mask.any() for stream in sample.values())
