"""Intervals from how much scores change when one speaker is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, logit, stdtrit

#: Speakers that an interval needs.
LEAST_SPEAKERS = 3

#: Sums over clips (..., K) -> score by name (...).
Scores = Callable[[np.ndarray], Mapping[str, np.ndarray]]
#: Bounds of a score, both NaN where it has none.
Interval = tuple[float, float]
#: On which a score is about normal: shares lie in 0 to 1, correlations in -1 to 1, amounts are
#: positive, differences are anything.
Scale = Literal["share", "correlation", "amount", "difference"]
#: Where a scale ends.
_ENDS: dict[Scale, Interval] = {
    "share": (0, 1),
    "correlation": (-1, 1),
    "amount": (0, np.inf),
    "difference": (-np.inf, np.inf),
}


@dataclass(frozen=True)
class Metric:
    """What a score is.

    Args:
        title: In words.
        scale: Of its interval.
        best: Whether more is better or worse.
    """

    title: str
    scale: Scale = "share"
    best: Literal["max", "min"] = "max"


def group_sums(sums: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sums (G, K) of each group from those of each clip, in the order of the groups' labels.

    Args:
        sums: (N, K) of each clip.
        groups: (N,) any labels.
    """
    _, index = np.unique(groups, return_inverse=True)
    found = np.zeros((int(index.max()) + 1, sums.shape[1]))
    np.add.at(found, index, sums)
    return found


def left_out(scores: Scores, sums: np.ndarray) -> Mapping[str, np.ndarray]:
    """Scores (G, ...) without each of the groups.

    Args:
        scores: From sums to scores.
        sums: (G, K) of each group.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return scores(sums.sum(0) - sums)


def jackknife_error(values: np.ndarray) -> float:
    """Standard error of a score.

    Args:
        values: (G,) without each of the groups.

    Source: Efron & Stein, The jackknife estimate of variance (1981).
    """
    n = len(values)
    return float(np.sqrt(np.square(values - values.mean()).sum() * (n - 1) / n))


def t_interval(value: float, without: np.ndarray, scale: Scale, level: float = 0.95) -> Interval:
    """Interval of a score over speakers: groups - 1 degrees of freedom, jackknife standard error.

    It is made on the scale on which the score is about normal: log odds of a share, Fisher's z of
    a correlation, logarithm of an amount. How often it covers: docs/results/intervals.md.

    Args:
        value: Of all groups.
        without: (G,) of all but each of the groups; clips of one are not independent.
        scale: Of the score.
        level: Coverage.

    Returns:
        Lower and upper bound. Both NaN with fewer than `LEAST_SPEAKERS` groups, or where the score
        is undefined without one of them; both the score where all groups are alike.
    """
    n = len(without)
    if n < LEAST_SPEAKERS or not np.isfinite([value, *without]).all():
        return float("nan"), float("nan")
    reach = stdtrit(n - 1, (1 + level) / 2) * jackknife_error(without) * np.array([-1, 1])
    if not _ENDS[scale][0] < value < _ENDS[scale][1]:
        low = high = value  # nothing varies there
    elif scale == "share":
        low, high = expit(logit(value) + reach / (value * (1 - value)))
    elif scale == "correlation":
        low, high = np.tanh(np.arctanh(value) + reach / (1 - value**2))
    elif scale == "amount":
        low, high = value * np.exp(reach / value)
    else:
        low, high = value + reach
    return float(low), float(high)
