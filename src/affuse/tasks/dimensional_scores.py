"""All scores of continuous valence and arousal, with intervals over speakers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from affuse.metrics.jackknife import Metric, no_interval
from affuse.metrics.over_time import (
    SERIES_METRICS,
    SeriesScores,
    series_means,
    series_scores,
    series_sums,
)
from affuse.tasks.judgement import number


@dataclass(frozen=True)
class SeriesTable:
    """Predicted values of N videos beside their annotation, in the annotated frames.

    Args:
        names: Of the D dimensions.
        predicted: (n, D) of each video.
        true: (n, D) of each video.
    """

    names: list[str]
    predicted: Sequence[np.ndarray]
    true: Sequence[np.ndarray]

    @property
    def metrics(self) -> dict[str, Metric]:
        """What `scores` gives: the mean over dimensions, and `<metric>_<dimension>`."""
        ends = ("", *(f"_{name}" for name in self.names))
        kinds = {name: x for name, x in SERIES_METRICS.items() if name in self.defined}
        return {f"{name}{end}": metric for name, metric in kinds.items() for end in ends}

    @property
    def defined(self) -> set[str]:
        """The metrics that mean something: none of each video where videos have one value."""
        alone = all(len(x) == 1 for x in self.true)
        return {*SERIES_METRICS} - ({"ccc_per_video"} if alone else set())

    @cached_property
    def sums(self) -> np.ndarray:
        """(N, K) what each video adds to the scores."""
        return series_sums(self.predicted, self.true)

    def scores(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Score by name (...) from sums (..., K) over videos."""
        found = {}
        for metric, values in series_means(sums).items():
            found[metric] = values[..., -1]
            found |= {f"{metric}_{name}": values[..., d] for d, name in enumerate(self.names)}
        return found


def dimensional_scores(table: SeriesTable, speakers: Sequence[str]) -> dict[str, Any]:
    """`dimensions` and their `mean` as JSON values, with 95 % intervals over speakers.

    Args:
        table: The predictions.
        speakers: Of each video, or whatever makes videos alike.

    Returns:
        Metric -> value, and `<metric>_interval_95`; what is undefined is null, and `no_interval`
        says why where all intervals are.
    """
    by_dimension, over_all = series_scores(table.predicted, table.true, speakers)
    *each, mean = (_json(part, table.defined) for part in (*by_dimension, over_all))
    dimensions = dict(zip(table.names, each, strict=True))
    return {**no_interval(np.array(speakers)), "dimensions": dimensions, "mean": mean}


def _json(scores: SeriesScores, defined: set[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in SERIES_METRICS:
        bounds = scores.intervals[name] if name in defined else (math.nan, math.nan)
        facts[name] = number(scores.values[name]) if name in defined else None
        facts[f"{name}_interval_95"] = [number(x) for x in bounds]
    return facts
