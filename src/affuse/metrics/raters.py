"""Distributions over classes judged against those of human raters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import rel_entr, xlogy


@dataclass(frozen=True)
class RaterScores:
    """Predicted distributions beside the raters' own.

    Args:
        cross_entropy: Mean over clips of the cross-entropy from the raters' shares to the
            prediction, in nats; never below `rater_entropy`.
        divergence: Their difference, the mean Kullback-Leibler divergence, in nats.
        rater_entropy: Mean entropy of the raters' shares, in nats.
        agreement: Chance that a rater drawn at random chose what the model finds most likely.
        rater_agreement: Chance that two raters drawn at random chose the same.
        human_ceiling: Chance that one rater chose what most of the others did (a tie among the
            others counts by its share): how often a person would be right by their label rule.
        best_agreement: What `agreement` would be for a model that always names the class with
            most votes.
    """

    cross_entropy: float
    divergence: float
    rater_entropy: float
    agreement: float
    rater_agreement: float
    human_ceiling: float
    best_agreement: float


def rater_scores(predicted: np.ndarray, votes: np.ndarray) -> RaterScores:
    """Judge predictions against votes.

    Args:
        predicted: (N, C) probabilities.
        votes: (N, C) number of raters per class, each row with at least one.

    Chances about two raters are means over the clips that have two.
    """
    total = votes.sum(1)
    shares = votes / total[:, None]
    entropy = -xlogy(shares, shares).sum(1).mean()
    divergence = rel_entr(shares, np.clip(predicted, 1e-12, None)).sum(1).mean()
    rows = np.arange(len(votes))
    several = total > 1
    counts, n = votes[several], total[several]
    pairs = (counts * (counts - 1)).sum(1) / (n * (n - 1))
    return RaterScores(
        cross_entropy=float(entropy + divergence),
        divergence=float(divergence),
        rater_entropy=float(entropy),
        agreement=float(shares[rows, predicted.argmax(1)].mean()),
        rater_agreement=float(pairs.mean()) if several.any() else float("nan"),
        human_ceiling=_ceiling(counts) if several.any() else float("nan"),
        best_agreement=float(shares.max(1).mean()),
    )


def _ceiling(votes: np.ndarray) -> float:
    """Mean chance that a rater who is left out names the first class of the others."""
    right = np.zeros(len(votes))
    for k in range(votes.shape[1]):
        others = votes.copy()
        others[:, k] -= 1
        first = others == others.max(1, keepdims=True)
        right += votes[:, k] * (first[:, k] / first.sum(1))
    return float((right / votes.sum(1)).mean())
