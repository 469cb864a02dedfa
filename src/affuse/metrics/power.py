"""Which differences between two models a number of speakers can show."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import nctdtr, nctdtrinc, stdtrit

#: Of a two-sided test over speakers.
LEVEL, POWER = 0.05, 0.8
#: With fewer speakers no permutation of them has a p value below `LEVEL`.
LEAST_SPEAKERS = 5
#: More are not counted.
MOST_SPEAKERS = 1_000_000


def power(deviation: float, speakers: int, difference: float, level: float = LEVEL) -> float:
    """Chance that a paired t test over speakers shows a difference.

    Args:
        deviation: Standard deviation of the speakers' differences.
        speakers: Number, two or more.
        difference: True mean difference, in the same unit.
        level: Of the two-sided test.
    """
    if deviation == 0:
        return 1.0 if difference else level
    limit = stdtrit(speakers - 1, 1 - level / 2)
    shift = abs(difference) / deviation * math.sqrt(speakers)
    below = nctdtr(speakers - 1, shift, [limit, -limit])
    return float(1 - below[0] + below[1])


def smallest_difference(deviation: float, speakers: int) -> float:
    """The difference that is shown with a chance of `POWER`, in the unit of the deviation.

    Args:
        deviation: Standard deviation of the speakers' differences.
        speakers: Number, two or more.
    """
    limit = stdtrit(speakers - 1, 1 - LEVEL / 2)
    return float(nctdtrinc(speakers - 1, 1 - POWER, limit)) * deviation / math.sqrt(speakers)


def speakers_needed(deviation: float, difference: float) -> int | None:
    """Speakers with whom a difference is shown with a chance of `POWER`.

    Args:
        deviation: Standard deviation of the speakers' differences.
        difference: In the same unit.

    Returns:
        At least `LEAST_SPEAKERS`; None where `MOST_SPEAKERS` are not enough.
    """
    low, high = LEAST_SPEAKERS, LEAST_SPEAKERS
    while smallest_difference(deviation, high) > abs(difference):
        low, high = high, 2 * high
        if low > MOST_SPEAKERS:
            return None
    while low < high:
        middle = (low + high) // 2
        if smallest_difference(deviation, middle) > abs(difference):
            low = middle + 1
        else:
            high = middle
    return low


@dataclass(frozen=True)
class Plan:
    """How much the differences of two models' accuracies vary.

    Args:
        spread: Standard deviation between speakers of the true difference.
        within: Variance of the difference (-1, 0 or 1) of one clip of a speaker.
    """

    spread: float
    within: float

    def deviation(self, clips: float) -> float:
        """Standard deviation of the speakers' differences, of so many clips each."""
        return math.sqrt(self.spread**2 + self.within / clips)


def independent_plan(accuracy: float, spread: float) -> Plan:
    """Two models of one accuracy whose mistakes on a clip have nothing to do with each other.

    Those of real models have: fewer speakers are then enough.

    Args:
        accuracy: 0 to 1.
        spread: Standard deviation between speakers of the true difference.
    """
    return Plan(spread, 2 * accuracy * (1 - accuracy))


def spread_between(values: np.ndarray, speakers: np.ndarray) -> tuple[float, float]:
    """Standard deviation between speakers beyond that of their clips, and variance within them.

    Args:
        values: (N,) of each clip, such as whether it is right.
        speakers: (N,) labels, of two speakers or more.

    Source: method of moments of a one-way random effects model (Searle, Casella & McCulloch,
    Variance components, 1992).
    """
    _, index = np.unique(speakers, return_inverse=True)
    count = np.bincount(index)
    means = np.bincount(index, values) / count
    squares = np.bincount(index, (values - means[index]) ** 2)
    within = float(squares.sum() / max(len(values) - len(count), 1))
    between = means.var(ddof=1) - within * (1 / count).mean()
    return math.sqrt(max(between, 0.0)), within
