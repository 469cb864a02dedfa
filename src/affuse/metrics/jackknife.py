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
Link = Callable[[np.ndarray], np.ndarray]
#: To the scale, back, and how steep it is.
LINKS: dict[Scale, tuple[Link, Link, Link]] = {
    "share": (logit, expit, lambda x: 1 / (x * (1 - x))),
    "correlation": (np.arctanh, np.tanh, lambda x: 1 / (1 - x**2)),
    "amount": (np.log, np.exp, lambda x: 1 / x),
    "difference": (np.array, np.array, np.ones_like),
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


def jackknife_error(values: np.ndarray) -> np.ndarray:
    """Standard error (...) of a score.

    Args:
        values: (..., G) without each of the groups.

    Source: Efron & Stein, The jackknife estimate of variance (1981).
    """
    n = values.shape[-1]
    off = values - values.mean(-1, keepdims=True)
    return np.sqrt(np.square(off).sum(-1) * (n - 1) / n)


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
        is undefined without one of them. Where all groups are perfect, what as many speakers can
        tell: the Clopper-Pearson interval of a share, none of another score.
    """
    n = len(without)
    if n < LEAST_SPEAKERS or not np.isfinite([value, *without]).all():
        return float("nan"), float("nan")
    to, back, slope = LINKS[scale]
    with np.errstate(divide="ignore", invalid="ignore"):
        middle, moved = to(np.array(value)), to(without)
    if not np.isfinite(middle):  # the end of the scale, where nothing varies
        reach = 1 - float(((1 - level) / 2) ** (1 / n)) if scale == "share" else float("nan")
        return (value - reach, value) if value == 1 else (value, value + reach)
    ends = ~np.isfinite(moved)
    moved[ends] = middle + slope(np.array(value)) * (without[ends] - value)
    reach = stdtrit(n - 1, (1 + level) / 2) * jackknife_error(moved)
    low, high = back(middle + reach * np.array([-1, 1]))
    return float(low), float(high)


def no_interval(speakers: np.ndarray | None) -> dict[str, str]:
    """Why there are no intervals, as `no_interval`; nothing where there are.

    Args:
        speakers: (N,) names, or None where they are not known.
    """
    if speakers is None:
        return {"no_interval": "the table does not say the speakers (no column speaker)"}
    count = len(np.unique(speakers))
    if count < LEAST_SPEAKERS:
        return {"no_interval": f"an interval needs {LEAST_SPEAKERS} speakers, not {count}"}
    return {}
