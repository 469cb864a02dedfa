"""Tests of whether two models that judged the same clips differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, stdtr

from affuse.metrics.jackknife import Scores

#: Speakers up to which all ways to swap are tried: 2 ** (speakers - 1) of them.
MOST_EXACT = 15
DRAWS = 10_000
_SAME = 1e-9  # differences that are rounded alike
_CELLS = 2**17  # ways to swap, times speakers, that are looked at together


@dataclass(frozen=True)
class PermutationTest:
    """A paired permutation test over speakers.

    Args:
        p: Two-sided.
        ways: Number of ways to swap that were tried.
        exact: Whether these are all.
    """

    p: float
    ways: int
    exact: bool


def permutation_test(
    scores: Scores, name: str, first: np.ndarray, second: np.ndarray, seed: int = 0
) -> PermutationTest:
    """How often a difference as large comes about where it does not matter which model is which.

    All clips of a speaker are swapped together. Up to `MOST_EXACT` speakers all ways to swap are
    tried, else `DRAWS` random ones. Ways with the same difference count half (mid-p): hits are
    whole numbers, and with all of them the test would see too little.

    Args:
        scores: From sums to scores.
        name: Of the score.
        first: (G, K) sums of each speaker by one model.
        second: (G, K) by the other.
        seed: Of the random ways.

    Source: Good, Permutation, parametric and bootstrap tests of hypotheses (2005); mid-p:
    Lancaster, Significance tests in discrete distributions (1961).
    """
    speakers = len(first)
    exact = speakers <= MOST_EXACT
    apart, one, other = first - second, first.sum(0), second.sum(0)

    def difference(kept: np.ndarray) -> np.ndarray:
        moved = kept.astype(float) @ apart
        return np.abs(scores(other + moved)[name] - scores(one - moved)[name])

    observed = float(difference(np.ones((1, speakers), bool))[0])
    ways = _all_ways(speakers) if exact else _random_ways(speakers, seed)
    found = np.concatenate([difference(kept) for kept in ways])
    if not exact:
        found = np.append(found, observed)
    larger = found - observed > _SAME
    same = abs(found - observed) <= _SAME
    p = float((larger + same / 2).mean()) if observed > _SAME else 1.0
    return PermutationTest(p, len(found) if exact else DRAWS, exact)


def _all_ways(speakers: int) -> Iterator[np.ndarray]:
    """(ways, G) bool in parts, who is not swapped: all ways that keep the first speaker.

    Swapping everybody only changes the sign.
    """
    for numbers in _parts(2 ** (speakers - 1), speakers):
        kept = (numbers[:, None] >> np.arange(speakers - 1)) % 2 == 0
        yield np.column_stack([np.ones(len(kept), bool), kept])


def _random_ways(speakers: int, seed: int) -> Iterator[np.ndarray]:
    """(ways, G) bool in parts, who is not swapped: `DRAWS` in all."""
    random = np.random.default_rng(seed)
    for numbers in _parts(DRAWS, speakers):
        yield random.random((len(numbers), speakers)) < 0.5


def _parts(count: int, width: int) -> Iterator[np.ndarray]:
    """The numbers below a count, as many together as fit in the memory."""
    size = max(_CELLS // width, 1)
    return (np.arange(first, min(first + size, count)) for first in range(0, count, size))


def mcnemar(first: np.ndarray, second: np.ndarray) -> tuple[int, int, float]:
    """McNemar's exact test over clips, which takes them for independent.

    Args:
        first: (N,) bool, clips that one model has right.
        second: (N,) bool, clips that the other has right.

    Returns:
        Clips that the first alone has right, those that the second alone has, and the two-sided p.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions
    or percentages (1947).
    """
    own, others = int((first & ~second).sum()), int((second & ~first).sum())
    return own, others, min(1.0, 2 * float(bdtr(min(own, others), own + others, 0.5)))


def corrected_t_test(differences: np.ndarray, ratio: float) -> tuple[float, float]:
    """The corrected resampled t test over folds, whose training sets overlap.

    Args:
        differences: (F,) of each fold, two or more.
        ratio: Clips that a fold tests, over those that it is trained on.

    Returns:
        t with F - 1 degrees of freedom, and the two-sided p.

    Source: Nadeau & Bengio, Inference for the generalization error (2003).
    """
    folds, mean = len(differences), float(differences.mean())
    error = float(np.sqrt((1 / folds + ratio) * differences.var(ddof=1)))
    if error <= 1e-12:  # all folds alike
        return (0.0, 1.0) if abs(mean) <= 1e-12 else (float(np.copysign(np.inf, mean)), 0.0)
    t = mean / error
    return t, float(2 * stdtr(folds - 1, -abs(t)))


def holm(values: Sequence[float]) -> list[float]:
    """p values of several comparisons, so that one in twenty families has a false one at 0.05.

    Args:
        values: p of each comparison alone.

    Source: Holm, A simple sequentially rejective multiple test procedure (1979).
    """
    order = np.argsort(values, kind="stable")
    steps = np.asarray(values, float)[order] * np.arange(len(values), 0, -1)
    found = np.empty(len(values))
    found[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return found.tolist()
