"""Conformal prediction: thresholds that hold for speakers whom nobody has seen."""

from __future__ import annotations

import numpy as np

#: Speakers without whom no threshold says anything about others.
LEAST_SPEAKERS = 5
_TOLERANCE = 1e-9


def conformal_threshold(scores: np.ndarray, speakers: np.ndarray, coverage: float) -> float | None:
    """The score that clips of new speakers stay below as often as wanted.

    Clips of one speaker are alike, so every speaker counts alike, and the quantile is taken at the
    level at which it holds for each speaker by the scores of the others: on average over speakers
    who are left out, a share `coverage` of their clips lies below it. With one clip of each speaker
    that is the quantile of split conformal prediction, or the score next to it; where speakers are
    alike, that over all clips. From 1 / (1 - coverage) speakers on there is always a threshold. How
    often it holds with 5 to 20 speakers: docs/results/conformal.md.

    Args:
        scores: (N,) how strange the truth of each clip is to the model.
        speakers: (N,) names.
        coverage: Share of the clips of a new speaker, 0 to 1.

    Returns:
        The threshold; None where nothing can be promised: there are fewer than `LEAST_SPEAKERS`
        speakers, or single speakers are so strange that no score is enough.

    Source: Barber et al., Predictive inference with the jackknife+ (2021), and Lee, Barber &
    Willett, Distribution-free inference with hierarchical data (2023), for the weights.
    """
    _, speaker, clips = np.unique(speakers, return_inverse=True, return_counts=True)
    count = len(clips)
    if count < LEAST_SPEAKERS:
        return None
    order = np.argsort(scores, kind="stable")
    ordered: np.ndarray = np.asarray(scores, float)[order]
    speaker = speaker[order]
    weights = 1 / (count * clips[speaker])
    below = np.append(0.0, np.cumsum(weights))[np.searchsorted(ordered, ordered)]
    own = np.empty(len(ordered))
    for k in range(count):
        theirs = ordered[speaker == k]
        own[speaker == k] = np.searchsorted(theirs, theirs) / len(theirs)
    ranks = (count * below - own) / (count - 1)  # among the clips of the other speakers
    highest = _quantile(ranks, weights, coverage)
    if highest >= 1 - _TOLERANCE:
        return None
    level = ranks[ranks > highest + _TOLERANCE].min(initial=1.0)
    return _quantile(ordered, weights, level)


def _quantile(values: np.ndarray, weights: np.ndarray, level: float) -> float:
    """The smallest value that a share of the weight does not exceed."""
    order = np.argsort(values, kind="stable")
    place = int(np.searchsorted(np.cumsum(weights[order]), level - _TOLERANCE))
    return float(values[order[min(place, len(order) - 1)]])


def not_ruled_out(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """The classes that are left: the likeliest one, and all that are not too strange.

    Args:
        probabilities: (..., C).
        threshold: Of the score 1 - probability; see `conformal_threshold`.

    Returns:
        (..., C) bool; nothing is left where probabilities are NaN.

    Source: Sadinle, Lei & Wasserman, Least ambiguous set-valued classifiers (2019).
    """
    highest = probabilities.max(-1, keepdims=True)
    left = (1 - probabilities <= threshold) | (probabilities == highest)
    return np.asarray(left & ~np.isnan(highest))
