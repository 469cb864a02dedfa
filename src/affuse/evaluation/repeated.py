"""What a recipe that was trained several times predicts of the same clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from affuse.evaluation.pairing import paired
from affuse.evaluation.predictions import Predictions
from affuse.metrics.bootstrap import bootstrap_t_intervals
from affuse.metrics.jackknife import Metric, group_sums, no_interval
from affuse.tasks.judgement import number


@dataclass(frozen=True)
class Repeated:
    """Tables of the same clips whose score is the mean of the scores of each.

    Args:
        parts: One for each training, with the same clips, speakers and outputs in the same order.
    """

    parts: Sequence[Predictions]

    @property
    def first(self) -> Predictions:
        """The first table, for what all have in common."""
        return self.parts[0]

    @property
    def metrics(self) -> dict[str, Metric]:
        """What `scores` gives that can be compared."""
        return self.first.table.metrics

    @cached_property
    def sums(self) -> np.ndarray:
        """(N, S K) what each clip adds to the scores of each of S tables."""
        return np.concatenate([part.table.sums for part in self.parts], 1)

    def scores(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Mean score by name (...) from sums (..., S K) over clips."""
        each = np.split(sums, len(self.parts), axis=-1)
        found = [p.table.scores(own) for p, own in zip(self.parts, each, strict=True)]
        return {name: np.mean([one[name] for one in found], 0) for name in found[0]}

    def times(self, count: int) -> Repeated:
        """Every table so many times: the same scores."""
        return Repeated([*self.parts] * count)


def repeated(tables: Sequence[Predictions]) -> Repeated:
    """Tables of the same clips as one.

    Raises:
        BadInput: They are not of the same clips with the same truth.
    """
    first, *others = tables
    for other in others:
        first, _ = paired(first, other)
    return Repeated([first, *(paired(first, other)[1] for other in others)])


def repeated_pair(one: Repeated, other: Repeated) -> tuple[Repeated, Repeated]:
    """Both with the outputs in the same order, and the speakers and votes that either knows.

    Raises:
        BadInput: See `affuse.evaluation.pairing.paired`.
    """
    return (
        Repeated([paired(part, other.first)[0] for part in one.parts]),
        Repeated([paired(one.first, part)[1] for part in other.parts]),
    )


def repeated_scores(judged: Repeated, metric: str) -> dict[str, Any]:
    """A score of tables of the same clips.

    Args:
        judged: The tables.
        metric: One of its `metrics`.

    Returns:
        JSON values: `value` (mean over the tables), `each`, `deviation` (standard deviation over
        the tables, null of one), `interval_95` (of `value` over speakers), `clips`,
        `speakers`, and `no_interval` with the reason where there is none.
    """
    each = [float(part.table.scores(part.table.sums.sum(0))[metric]) for part in judged.parts]
    value, speakers = float(np.mean(each)), judged.first.speakers
    bounds = float("nan"), float("nan")
    if not (reason := no_interval(speakers)):
        assert speakers is not None
        (bounds,) = bootstrap_t_intervals(
            lambda sums: {metric: judged.scores(sums)[metric][..., None]},
            group_sums(judged.sums, speakers),
            {metric: np.array([value])},
            {metric: judged.metrics[metric].scale},
        )[metric]
    return {
        "value": number(value),
        "each": [number(x) for x in each],
        "deviation": number(float(np.std(each, ddof=1))) if len(each) > 1 else None,
        "interval_95": [number(x) for x in bounds],
        "clips": len(judged.first.clips),
        "speakers": None if speakers is None else len(np.unique(speakers)),
        **reason,
    }
