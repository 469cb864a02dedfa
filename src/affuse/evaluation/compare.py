"""Whether one model is better than another on the same clips."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import AffuseError
from affuse.evaluation.predictions import Predictions, one_condition
from affuse.evaluation.repeated import Repeated, repeated_pair
from affuse.evaluation.verdict import verdict
from affuse.metrics.comparison import corrected_t_test, holm, mcnemar, permutation_test
from affuse.metrics.jackknife import Metric, group_sums, jackknife_error, left_out, t_interval
from affuse.metrics.power import smallest_difference, speakers_needed
from affuse.suggestions import unknown
from affuse.tasks.class_scores import ClassTable
from affuse.tasks.judgement import number

#: What metrics are also called.
ALIASES = {"war": "accuracy", "f1": "macro_f1", "kl": "divergence", "js": "jensen_shannon"}
#: Task -> the metric that is compared by default.
DEFAULT_METRICS = {
    "classification": "accuracy",
    "distribution": "divergence",
    "valence-arousal": "ccc",
}


def compare(
    paths: Sequence[Path],
    metric: str | None = None,
    condition: str | None = None,
    every_pair: bool = False,
) -> dict[str, Any]:
    """Compare predictions of the same clips.

    Args:
        paths: Runs, or tables of predictions; two or more.
        metric: What is compared; by default one of `DEFAULT_METRICS`.
        condition: Its name; by default the first that all tables have.
        every_pair: Compare all pairs; by default the first with each of the others.

    Returns:
        JSON values: the metric, the condition, and `comparisons` with difference, tests, verdict.

    Raises:
        BadInput: The tables are not of the same clips, or cannot be used.
        AffuseError: There is no such metric or condition, or only one table.
    """
    if len(paths) < 2:
        raise AffuseError("name two or more runs or tables to compare")
    name, tables = one_condition(paths, condition)
    return compare_tables(name, tables, metric, every_pair)


def compare_tables(
    condition: str,
    tables: Sequence[Predictions],
    metric: str | None = None,
    every_pair: bool = False,
) -> dict[str, Any]:
    """Compare predictions under one condition.

    Args:
        condition: What it is called.
        tables: Two or more, called by their `path`.
        metric: As of `compare`.
        every_pair: As of `compare`.

    Returns:
        As `compare`.

    Raises:
        BadInput: The tables are not of the same clips.
        AffuseError: There is no such metric.
    """
    found = list(combinations(tables, 2)) if every_pair else [(tables[0], x) for x in tables[1:]]
    pairs = [repeated_pair(Repeated([first]), Repeated([second])) for first, second in found]
    metric = _metric(metric, [part.first for pair in pairs for part in pair])
    comparisons = [compare_pair(first, second, metric) for first, second in pairs]
    kind = pairs[0][0].metrics[metric]
    conclude(comparisons, kind)
    return {
        "metric": metric,
        "best": kind.best,
        "condition": condition,
        "baseline": tables[0].baseline,
        "comparisons": comparisons,
    }


def _metric(metric: str | None, parts: Sequence[Predictions]) -> str:
    """The metric, if all tables have it."""
    # where some pairs have votes and others have none, the classes are what all have
    default = DEFAULT_METRICS[min(part.task for part in parts)]
    chosen = default if metric is None else ALIASES.get(metric, metric)
    every = [part.table.metrics for part in parts]
    known = [name for name in every[0] if all(name in metrics for metrics in every)]
    if chosen not in known:
        raise unknown("metric", chosen, known)
    return chosen


def compare_pair(first: Repeated, second: Repeated, metric: str) -> dict[str, Any]:
    """The difference of a pair, and its tests.

    Args:
        first: Of one model or recipe, once or several times trained.
        second: Of the other, of the same clips (`repeated_pair`).
        metric: What is compared.

    Returns:
        JSON values as `compare` has them; `conclude` fills in `p_holm` and `verdict`.
    """
    count = lcm(len(first.parts), len(second.parts))
    first, second = (x.times(count // len(x.parts)) for x in (first, second))
    one, other, speakers = first.first, second.first, first.first.speakers
    values = [float(x.scores(x.sums.sum(0))[metric]) for x in (first, second)]
    facts: dict[str, Any] = {
        "first": str(one.path),
        "second": str(other.path),
        "clips": len(one.clips),
        "speakers": None if speakers is None else len(np.unique(speakers)),
        "values": [number(x) for x in values],
        "difference": number(values[0] - values[1]),
        "interval_95": [None, None],
        "permutation": None,
        "p_holm": None,
        "mcnemar": None,
        "folds": _over_folds(first, second, metric),
        "smallest_difference": None,
        "speakers_needed": None,
    }
    if count == 1 and isinstance(one.table, ClassTable) and isinstance(other.table, ClassTable):
        alone, others, p = mcnemar(one.table.correct(), other.table.correct())
        facts["mcnemar"] = {"p": p, "first_alone": alone, "second_alone": others}
    if speakers is None or np.isnan(values).any():
        return facts
    sums = [group_sums(x.sums, speakers) for x in (first, second)]
    people = len(sums[0])
    if people > 1:
        test = permutation_test(first.scores, metric, sums[0], sums[1])
        facts["permutation"] = {"p": test.p, "ways": test.ways, "exact": test.exact}
    without = np.subtract(*(left_out(first.scores, x)[metric] for x in sums))
    low, high = t_interval(values[0] - values[1], without, "difference")
    if not np.isnan(low):
        deviation = jackknife_error(without) * np.sqrt(people)
        facts["interval_95"] = [low, high]
        facts["smallest_difference"] = smallest_difference(deviation, people)
        facts["speakers_needed"] = speakers_needed(deviation, values[0] - values[1])
    return facts


def conclude(comparisons: Sequence[dict[str, Any]], metric: Metric) -> None:
    """Write Holm's `p_holm` and the `verdict` into comparisons that are one family.

    Args:
        comparisons: Of `compare_pair`.
        metric: What was compared.
    """
    tested = [x for x in comparisons if x["permutation"] is not None]
    corrected = holm([x["permutation"]["p"] for x in tested])
    for one, p in zip(tested, corrected, strict=True):
        one["p_holm"] = p
    for one in comparisons:
        one["verdict"] = verdict(one, metric, len(tested))


def _over_folds(first: Repeated, second: Repeated, metric: str) -> dict[str, Any]:
    """The corrected resampled t test, or why there is none."""
    folds, others = first.first.folds, second.first.folds
    if folds is None or others is None:
        return {"missing": "the tables do not say the folds"}
    if (folds != others).any():
        return {"missing": "the tables have other folds"}
    names, counts = np.unique(folds, return_counts=True)
    if len(names) < 2:
        return {"missing": "there is one fold"}
    scores = [x.scores(group_sums(x.sums, folds))[metric] for x in (first, second)]
    # a fold is taken to be trained on the clips of all others
    t, p = corrected_t_test(scores[0] - scores[1], float(np.mean(counts / (counts.sum() - counts))))
    return {"p": p, "t": number(t) if np.isfinite(t) else None, "folds": len(names)}
