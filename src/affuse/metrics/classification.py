"""How well classes were told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from affuse.metrics.jackknife import Interval, group_sums, left_out, t_interval


@dataclass(frozen=True)
class ClassificationScores:
    """Scores of a set of predictions.

    Args:
        accuracy: Share that is right (weighted average recall, WAR).
        uar: Unweighted average recall over the classes that occur.
        macro_f1: Unweighted mean F1 over the classes that occur.
        weighted_f1: Mean F1, weighted by how often the classes occur.
        recall: Per class; NaN where it does not occur.
        precision: Per class; NaN where it was never predicted.
        f1: Per class; NaN where it does not occur.
        confusion: (C, C) int64, rows are the true classes.
    """

    accuracy: float
    uar: float
    macro_f1: float
    weighted_f1: float
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
    found: dict[str, Any] = {k: float(x) for k, x in confusion_scores(confusion).items()}
    return ClassificationScores(**found | class_rates(confusion), confusion=confusion)


def class_rates(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """`recall`, `precision` and `f1` (..., C) of each class; NaN where undefined.

    Args:
        confusion: (..., C, C) counts, rows are the true classes.
    """
    right = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    occurs, given = confusion.sum(-1), confusion.sum(-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "recall": right / occurs,
            "precision": right / given,
            "f1": np.where(occurs > 0, 2 * right / (occurs + given), np.nan),
        }


def confusion_scores(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """`accuracy`, `uar`, `macro_f1` and `weighted_f1` (...) of confusion matrices.

    Args:
        confusion: (..., C, C) counts, rows are the true classes.
    """
    rates, occurs = class_rates(confusion), confusion.sum(-1)
    clips = np.maximum(occurs.sum(-1), 1)
    there = np.maximum((occurs > 0).sum(-1), 1)
    return {
        "accuracy": np.trace(confusion, axis1=-2, axis2=-1) / clips,
        "uar": np.nansum(rates["recall"], -1) / there,
        "macro_f1": np.nansum(rates["f1"], -1) / there,
        "weighted_f1": np.nansum(rates["f1"] * occurs, -1) / clips,
    }


def accuracy_interval(right: np.ndarray, groups: np.ndarray, level: float = 0.95) -> Interval:
    """Interval of an accuracy from how much it differs between groups (speakers).

    Args:
        right: (N,) bool.
        groups: (N,) any labels, of which clips of one are not independent of each other.
        level: Coverage.

    Returns:
        Lower and upper bound; see `affuse.metrics.jackknife.t_interval`.
    """
    if not len(right):
        return float("nan"), float("nan")
    sums = group_sums(np.stack([right, np.ones(len(right))], 1), groups)
    without = left_out(lambda totals: {"accuracy": totals[..., 0] / totals[..., 1]}, sums)
    return t_interval(float(np.mean(right)), without["accuracy"], "share", level)
