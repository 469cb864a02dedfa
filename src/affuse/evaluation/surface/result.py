"""A surface as a table: scores over changes and their values, areas, and floors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from affuse.evaluation.surface.spec import Axis
from affuse.tasks.registry import TASKS

#: Share by which everything there may fall below the better single modality.
MARGIN = 0.01
HEADER = [
    "modality",
    "change",
    "value",
    "condition",
    "metric",
    "score",
    "low",
    "high",
    "clips",
    "lost_clips",
    "below_floor",
]


def metrics_of(task: str, result: Mapping[str, Any]) -> list[str]:
    """What a surface tells, the main score first."""
    if not TASKS[task].over_time:
        return ["accuracy", "uar"]
    each = result["dimensions"]
    return ["ccc", *(f"ccc_{name}" for name in each if len(each) > 1)]


def score_of(result: Mapping[str, Any], condition: str, metric: str) -> list[float | None]:
    """A score under a condition with its interval, as `metrics.json` has them."""
    facts: Mapping[str, Any] = result["conditions"][condition]
    if "mean" in facts:
        metric, _, dimension = metric.partition("_")
        facts = facts["dimensions"].get(dimension, {}) if dimension else facts["mean"]
    return [facts.get(metric), *facts.get(f"{metric}_interval_95", (None, None))]


def rows_of(
    unchanged: Mapping[str, Any],
    axes: Sequence[Axis],
    points: Mapping[str, Mapping[str, Any]],
    task: str,
) -> Iterator[list[Any]]:
    """The rows of `surface.csv`; the recordings as they are come first, without a value.

    Args:
        unchanged: Scores of the recordings as they are, as `metrics.json` has them.
        axes: The changes.
        points: Change as text -> the same after it.
        task: Its name.
    """
    metrics = metrics_of(task, unchanged)
    all_points = [("", "", None, unchanged)] + [
        (axis.modality, axis.name, change.low, points[str(change)])
        for axis in axes
        for change in axis.changes
    ]
    for modality, name, value, result in all_points:
        whole = next(iter(result["conditions"]))
        for condition, facts in result["conditions"].items():
            count = facts["clips"] if "clips" in facts else facts["videos"]
            for metric in metrics:
                below = None
                if condition == whole and metric == metrics[0]:
                    below = below_floor(result, metric)
                yield [
                    modality,
                    name,
                    value,
                    condition,
                    metric,
                    *score_of(result, condition, metric),
                    count,
                    len(result.get("lost", ())),
                    None if below is None else int(below),
                ]


def below_floor(result: Mapping[str, Any], metric: str) -> bool | None:
    """Whether everything there is more than `MARGIN` below the better single modality."""
    whole, *single = (score_of(result, name, metric)[0] for name in result["conditions"])
    floors = [score for score in single if score is not None]
    return whole < max(floors) - MARGIN if floors and whole is not None else None


def areas_of(
    unchanged: Mapping[str, Any],
    axes: Sequence[Axis],
    points: Mapping[str, Mapping[str, Any]],
    metric: str,
) -> list[dict[str, Any]]:
    """What there is to say of each change, as JSON values.

    Args:
        unchanged: As in `rows_of`.
        axes: As there.
        points: As there.
        metric: The main score.

    Returns:
        Per change the scores of each condition over its values with their intervals, their mean
        (`area`), that of everything there as a part of the score of the recordings as they are
        (`relative_area`), and the values at which it is `below_floor`.
    """
    told = []
    for axis in axes:
        results = [points[str(change)] for change in axis.changes]
        scores = {
            name: [dict(zip(("score", "low", "high"), x, strict=True)) for x in found]
            for name in unchanged["conditions"]
            if (found := [score_of(result, name, metric) for result in results])
        }
        area = {name: _mean([one["score"] for one in found]) for name, found in scores.items()}
        whole = next(iter(area))
        before = score_of(unchanged, whole, metric)[0]
        relative = area[whole] / before if area[whole] is not None and before else None
        below = [below_floor(result, metric) for result in results]
        told.append(
            {
                "change": axis.name,
                "modality": axis.modality,
                "values": axis.values,
                "lost_clips": [len(result["lost"]) for result in results],
                "scores": scores,
                "area": area,
                "relative_area": relative,
                "below_floor": [
                    v for v, is_below in zip(axis.values, below, strict=True) if is_below
                ],
            }
        )
    return told


def _mean(scores: Sequence[float | None]) -> Any:
    known = [score for score in scores if score is not None]
    return float(np.mean(known)) if len(known) == len(scores) else None
