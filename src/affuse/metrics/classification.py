"""How well classes were told apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassificationScores:
    """Scores of a set of predictions.

    Args:
        accuracy: Share that is right (weighted average recall, WAR).
        uar: Unweighted average recall over the classes that occur.
        macro_f1: Unweighted mean F1 over the classes that occur.
        recall: Per class; NaN where it does not occur.
        precision: Per class; NaN where it was never predicted.
        f1: Per class; NaN where it does not occur.
        confusion: (C, C) int64, rows are the true classes.
    """

    accuracy: float
    uar: float
    macro_f1: float
    recall: np.ndarray
    precision: np.ndarray
    f1: np.ndarray
    confusion: np.ndarray


def classification_scores(
    true: np.ndarray, predicted: np.ndarray, classes: int
) -> ClassificationScores:
    """Scores from class indices.

    Args:
        true: (N,) int.
        predicted: (N,) int.
        classes: Number of classes C.
    """
    confusion = np.zeros((classes, classes), np.int64)
    np.add.at(confusion, (true, predicted), 1)
    right = np.diag(confusion).astype(float)
    occurs, given = confusion.sum(1), confusion.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, precision = right / occurs, right / given
        f1 = np.where(occurs > 0, 2 * right / (occurs + given), np.nan)
    return ClassificationScores(
        accuracy=float(right.sum() / max(len(true), 1)),
        uar=float(np.nanmean(recall)),
        macro_f1=float(np.nanmean(f1)),
        recall=recall,
        precision=precision,
        f1=f1,
        confusion=confusion,
    )


def accuracy_interval(
    right: np.ndarray, groups: np.ndarray, level: float = 0.95, draws: int = 2000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of an accuracy that redraws whole groups (speakers), not clips.

    Args:
        right: (N,) bool.
        groups: (N,) any labels; clips of one group are drawn together.
        level: Coverage.
        draws: Number of redraws.
        seed: Of the redraws.

    Returns:
        Lower and upper bound; both NaN with fewer than two groups.
    """
    _, index = np.unique(groups, return_inverse=True)
    count = np.bincount(index)
    if len(count) < 2:
        return float("nan"), float("nan")
    hits = np.bincount(index, right.astype(float))
    drawn = np.random.default_rng(seed).integers(0, len(count), (draws, len(count)))
    scores = hits[drawn].sum(1) / count[drawn].sum(1)
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
