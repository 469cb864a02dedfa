"""Whether one model of a report is better than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from affuse.evaluation.compare import compare_tables
from affuse.evaluation.report.evaluated import Evaluated, common_condition
from affuse.evaluation.report.tables import HEADS, Row, Table


def comparisons(
    evaluated: Sequence[Evaluated], metric: str, every_pair: bool
) -> tuple[list[str], Table | None]:
    """The verdict about each pair as a sentence, and the tests as a table.

    Args:
        evaluated: What the report is about.
        metric: What is compared.
        every_pair: Whether all pairs are compared, or the first with each of the others.

    Returns:
        The sentences, empty where there is one model alone, and the table.
    """
    if len(evaluated) < 2:
        return [], None
    condition = common_condition(evaluated)
    if condition is None:
        has = "; ".join(f"{one.name}: {', '.join(one.conditions)}" for one in evaluated)
        return [f"The models have no condition in common, so none is compared ({has})"], None
    named = [replace(one.predictions[condition], path=Path(one.name)) for one in evaluated]
    found = compare_tables(condition, named, metric, every_pair)["comparisons"]
    one = found[0]
    caption = f"Comparisons by {HEADS[metric]}, condition {condition}, {one['clips']:,} clips" + (
        "" if one["speakers"] is None else f" of {one['speakers']:,} speakers"
    )
    note = (
        "The difference is the first less the second, with its 95 % interval over speakers. p: "
        "permutation test over speakers, Holm-corrected; beside it McNemar's test, which ignores "
        "that clips of a speaker are alike, and the corrected resampled t test over folds. "
        "Visible: the smallest difference that so many speakers show with a chance of 80 %; "
        "speakers needed: for this one."
    )
    table = Table("comparisons", caption, [_row(one) for one in found], note, 2)
    head = HEADS[metric][0].upper() + HEADS[metric][1:]
    return [f"{head} ({condition}): {one['verdict']}" for one in found], table


def _row(one: Mapping[str, Any]) -> Row:
    low, high = one["interval_95"]
    interval = "" if low is None else f" [{low:.3f}, {high:.3f}]"
    first, second = (_number(x) for x in one["values"])
    difference = one["difference"]
    return {
        "first": one["first"],
        "second": one["second"],
        "score": first,
        "second score": second,
        "difference": None if difference is None else f"{difference:.3f}{interval}",
        "p": _p(one["p_holm"]),
        "p (McNemar)": _p((one["mcnemar"] or {}).get("p")),
        "p (folds)": _p((one["folds"] or {}).get("p")),
        "visible": _number(one["smallest_difference"]),
        "speakers needed": one["speakers_needed"],
    }


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f}"


def _p(value: float | None) -> str | None:
    return None if value is None else "<0.001" if value < 1e-3 else f"{value:.3f}"
