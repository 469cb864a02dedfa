"""The plane of valence and arousal, and how a way through it is drawn."""

from __future__ import annotations

import math

import numpy as np

from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches
from affuse.tasks.values import ValuesTimeline

#: Words around the circle, by degrees from "pleased" against the clock.
#: Source: Russell 1980, A circumplex model of affect, figure 2 (shortened).
WORDS = {
    "pleased": 0,
    "excited": 45,
    "aroused": 90,
    "distressed": 135,
    "displeased": 180,
    "bored": 225,
    "sleepy": 270,
    "calm": 315,
}
#: Points of a curve or a way beyond which further ones cannot be seen.
_POINTS = 2000


def place(word: str, radius: float = 1.0) -> tuple[float, float]:
    """Valence and arousal at which a word stands on a circle."""
    angle = math.radians(WORDS[word])
    return radius * math.cos(angle), radius * math.sin(angle)


def side(word: str) -> int:
    """-1, 0 or 1: whether a word stands left of the circle, above or below it, or right of it."""
    return round(1.2 * place(word)[0])


def plane_of(timeline: Prediction) -> np.ndarray | None:
    """(N, 2) valence and arousal; None where a model does not tell both."""
    if not isinstance(timeline, ValuesTimeline) or not {"valence", "arousal"} <= set(
        timeline.dimensions
    ):
        return None
    columns = [timeline.dimensions.index(name) for name in ("valence", "arousal")]
    return timeline.values[:, columns]


def drawn(timeline: ValuesTimeline) -> list[np.ndarray]:
    """Indices of the images that a drawing shows, one array per stretch without gaps.

    A long recording is thinned out evenly; the ends of every stretch stay.
    """
    step = max(1, len(timeline.times) // _POINTS)
    return [np.unique([*range(i, j, step), j - 1]) for i, j in stretches(timeline.known)]
