"""Distributions over classes judged against those of human raters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import comb, rel_entr, xlogy


@dataclass(frozen=True)
class RaterScores:
    """Predicted distributions beside the raters' own.

    Args:
        cross_entropy: Mean over clips of the cross-entropy from the raters' shares to the
            prediction, in nats; never below `rater_entropy`.
        divergence: Their difference, the mean Kullback-Leibler divergence, in nats.
        jensen_shannon: Mean Jensen-Shannon divergence of the prediction and the shares, in nats
            (0 to log 2).
        rater_entropy: Mean entropy of the raters' shares, in nats.
        agreement: Chance that a rater drawn at random chose what the model finds most likely.
        best_agreement: What `agreement` would be for a model that always names the class with
            most votes.
        rater_agreement: Chance that two raters drawn at random chose the same.
        human_ceiling: Chance that one rater chose what most of the others did (a tie among the
            others counts by its share): how often a person would be right by their label rule.
        rater_jensen_shannon: What `jensen_shannon` is, on average over all ways to halve them,
            between one half of the raters and the other (of an odd number, the larger half counts
            for more): a human ceiling.
    """

    cross_entropy: float
    divergence: float
    jensen_shannon: float
    rater_entropy: float
    agreement: float
    best_agreement: float
    rater_agreement: float
    human_ceiling: float
    rater_jensen_shannon: float


def rater_scores(predicted: np.ndarray, votes: np.ndarray) -> RaterScores:
    """Judge predictions against votes.

    Args:
        predicted: (N, C) probabilities.
        votes: (N, C) number of raters per class, each row with at least one; or shares that sum
            to 1, which tell nothing about two raters.

    Chances about two raters are means over the clips that have two; NaN where none has.
    """
    found = rater_means(rater_sums(predicted, votes).sum(0))
    return RaterScores(**{name: float(value) for name, value in found.items()})


def rater_sums(predicted: np.ndarray, votes: np.ndarray) -> np.ndarray:
    """What each clip adds to the scores, (N, 11); arguments as `rater_scores` has them."""
    total = votes.sum(1)
    shares = votes / total[:, None]
    rows, ones = np.arange(len(votes)), np.ones(len(votes))
    entropy = -xlogy(shares, shares).sum(1)
    divergence = rel_entr(shares, np.clip(predicted, 1e-12, None)).sum(1)
    middle = (shares + predicted) / 2
    apart = (rel_entr(shares, middle) + rel_entr(predicted, middle)).sum(1) / 2
    agreement = shares[rows, predicted.argmax(1)]
    alone = np.stack([ones, entropy + divergence, divergence, apart, entropy, agreement], 1)
    several = np.flatnonzero(total > 1.5)  # shares add up to about 1
    counts, n = votes[several], total[several]
    among = np.zeros((len(votes), 4))
    among[several] = np.stack(
        [
            np.ones(len(n)),
            (counts * (counts - 1)).sum(1) / (n * (n - 1)),
            _ceiling(counts),
            _halves(counts),
        ],
        1,
    )
    return np.column_stack([alone, shares.max(1), among])


def rater_means(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of `RaterScores` (...) from sums (..., 11) over clips."""
    with np.errstate(invalid="ignore", divide="ignore"):
        alone = sums[..., 1:7] / sums[..., :1]
        among = sums[..., 8:] / sums[..., 7:8]
    return dict(
        zip(
            RaterScores.__dataclass_fields__,
            np.moveaxis(np.concatenate([alone, among], -1), -1, 0),
            strict=True,
        )
    )


def _ceiling(votes: np.ndarray) -> np.ndarray:
    """(N,) chance that a rater who is left out names the first class of the others."""
    right = np.zeros(len(votes))
    for k in range(votes.shape[1]):
        others = votes.copy()
        others[:, k] -= 1
        first = others == others.max(1, keepdims=True)
        right += votes[:, k] * (first[:, k] / first.sum(1))
    return right / votes.sum(1)


def _halves(votes: np.ndarray) -> np.ndarray:
    """(N,) expected Jensen-Shannon divergence of one half of the raters from the other.

    It is the entropy of all, less the mean entropy of the halves, in which the votes for a class
    are hypergeometric; NaN where votes are no whole numbers.
    """
    found = np.full(len(votes), np.nan)
    whole = (votes == votes.round()).all(1)
    for total in np.unique(votes[whole].sum(1)).astype(int):
        rows = np.flatnonzero(whole & (votes.sum(1) == total))
        shares = votes[rows] / total
        found[rows] = -xlogy(shares, shares).sum(1)
        for size in (total // 2, total - total // 2):
            drawn, all_votes = np.arange(size + 1), np.arange(total + 1)
            ways = comb(all_votes, drawn[:, None]) * comb(total - all_votes, size - drawn[:, None])
            # (total + 1,) what a class adds to the entropy of the half, by its votes
            part = -xlogy(drawn / size, drawn / size) @ ways / comb(total, size)
            found[rows] -= size / total * part[votes[rows].astype(int)].sum(1)
    return found
