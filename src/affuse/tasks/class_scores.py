"""All scores of predicted classes, with intervals over speakers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from affuse.metrics.calibration import BINS, calibration_scores, calibration_sums
from affuse.metrics.classification import accuracy_interval, class_rates, confusion_scores
from affuse.metrics.jackknife import (
    Metric,
    group_sums,
    left_out,
    no_interval,
    t_interval,
)
from affuse.metrics.raters import rater_means, rater_sums
from affuse.tasks.judgement import number

#: How the columns of probabilities and of raters' votes begin.
SHARES, VOTES = "p_", "votes_"

CLASS_METRICS = {
    "accuracy": Metric("accuracy (WAR)"),
    "uar": Metric("unweighted average recall (UAR)"),
    "macro_f1": Metric("macro F1"),
    "weighted_f1": Metric("weighted F1"),
    "nll": Metric("log-loss, nats", "amount", "min"),
    "brier": Metric("Brier score, 0 to 2", "amount", "min"),
    "ece": Metric("expected calibration error (ECE)", "share", "min"),
}
#: Beside the votes of raters.
RATER_METRICS = {
    "divergence": Metric("Kullback-Leibler divergence (KL), nats", "amount", "min"),
    "jensen_shannon": Metric("Jensen-Shannon divergence, nats", "amount", "min"),
    "cross_entropy": Metric("cross-entropy with the raters, nats", "amount", "min"),
    "agreement": Metric("agreement with a rater"),
}


@dataclass(frozen=True)
class ClassTable:
    """Predicted classes of N clips beside what is true of them.

    Args:
        names: Of the C classes.
        true: (N,) int.
        predicted: (N,) int.
        probabilities: (N, C), rows sum to 1.
        votes: (N, C) number of raters per class, or their shares; None where nobody voted.
    """

    names: list[str]
    true: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    votes: np.ndarray | None = None

    @property
    def metrics(self) -> dict[str, Metric]:
        """What `scores` gives that can be compared."""
        return CLASS_METRICS | ({} if self.votes is None else RATER_METRICS)

    @cached_property
    def sums(self) -> np.ndarray:
        """(N, K) what each clip adds to the scores."""
        classes = len(self.names)
        cell = np.zeros((len(self.true), classes**2))
        cell[np.arange(len(cell)), self.true * classes + self.predicted] = 1
        parts = [cell, calibration_sums(self.probabilities, self.true)]
        if self.votes is not None:
            parts.append(rater_sums(self.probabilities, self.votes))
        return np.concatenate(parts, 1)

    def confusion(self, sums: np.ndarray) -> np.ndarray:
        """(..., C, C) counts, rows are the true classes, from sums (..., K)."""
        classes = len(self.names)
        return sums[..., : classes**2].reshape(*sums.shape[:-1], classes, classes)

    def scores(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Score by name (...) from sums (..., K) over clips."""
        first = len(self.names) ** 2
        last = first + 4 + BINS
        found = confusion_scores(self.confusion(sums)) | calibration_scores(sums[..., first:last])
        return found | ({} if self.votes is None else rater_means(sums[..., last:]))

    def correct(self) -> np.ndarray:
        """(N,) bool, which clips are right."""
        return np.asarray(self.true == self.predicted)


def class_scores(
    table: ClassTable,
    speakers: np.ndarray | None,
    folds: np.ndarray | None = None,
    majority: np.ndarray | None = None,
) -> dict[str, Any]:
    """Scores as JSON values, with 95 % intervals over speakers.

    Args:
        table: The predictions.
        speakers: (N,) names, or None where they are not known.
        folds: (N,) of the clips, or None.
        majority: (N,) bool, clips of whose votes one class has more than half, or None.

    Returns:
        Metric -> value, and `<metric>_interval_95`; what is undefined is null.
    """
    total = table.sums.sum(0)
    people = np.zeros(len(table.true)) if speakers is None else speakers
    sums = group_sums(table.sums, people)
    found, without = table.scores(total), left_out(table.scores, sums)
    confusion = table.confusion(total)
    rates = class_rates(confusion)
    rates_without = left_out(lambda x: class_rates(table.confusion(x)), sums)
    facts: dict[str, Any] = {
        "clips": len(table.true),
        "speakers": None if speakers is None else len(sums),
        **no_interval(speakers),
        **_scored(CLASS_METRICS, found, without),
        "confidence": float(found["confidence"]),
    }
    if folds is not None:
        right = table.correct()
        facts["accuracy_per_fold"] = {
            str(fold): float(right[folds == fold].mean()) for fold in np.unique(folds)
        }
    facts["per_class"] = {
        name: {
            **_scored(
                dict.fromkeys(rates, Metric(name)),
                {rate: x[k] for rate, x in rates.items()},
                {rate: x[:, k] for rate, x in rates_without.items()},
            ),
            "clips": int(confusion[k].sum()),
        }
        for k, name in enumerate(table.names)
    }
    facts |= {"classes": table.names, "confusion": confusion.astype(int).tolist()}
    if table.votes is not None:
        others = ("rater_entropy", "rater_jensen_shannon", "rater_agreement", "human_ceiling")
        facts["raters"] = {
            **_scored(RATER_METRICS, found, without),
            **{name: number(float(found[name])) for name in (*others, "best_agreement")},
            **({} if majority is None else _clear(table.correct(), people, majority)),
        }
    return facts


def _scored(
    metrics: Mapping[str, Metric],
    found: Mapping[str, np.ndarray],
    without: Mapping[str, np.ndarray],
) -> dict[str, Any]:
    """Metrics and their intervals as JSON values."""
    facts: dict[str, Any] = {}
    for name, metric in metrics.items():
        value = float(found[name])
        facts[name] = number(value)
        bounds = t_interval(value, without[name], metric.scale)
        facts[f"{name}_interval_95"] = [number(x) for x in bounds]
    return facts


def _clear(right: np.ndarray, speakers: np.ndarray, majority: np.ndarray) -> dict[str, Any]:
    """How often clips on which most raters agree are right."""
    right, speakers = right[majority], speakers[majority]
    return {
        "majority_clips": len(right),
        "majority_accuracy": number(right.mean()) if len(right) else None,
        "majority_interval_95": [number(x) for x in accuracy_interval(right, speakers)],
    }
