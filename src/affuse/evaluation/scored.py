"""A table of predictions scored, from the table alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.evaluation.predictions import Predictions, read_predictions
from affuse.execution.files import write_csv, write_json
from affuse.metrics.jackknife import no_interval
from affuse.tasks.class_scores import ClassTable, class_scores
from affuse.tasks.confidence_plots import write_confidence_plots
from affuse.tasks.dimensional_scores import dimensional_scores

_INTERVAL = "_interval_95"


def score_table(
    path: Path, conditions: Sequence[str] | None = None, out: Path | None = None
) -> dict[str, Any]:
    """All scores of the predictions in a table, with 95 % intervals over speakers.

    Args:
        path: The table; docs/how-to/compare.md has its columns.
        conditions: Those that are scored; all by default.
        out: Folder for `metrics.json`, `metrics.csv` and, of classes, `reliability.png` and
            `selective-risk.png`; by default nothing is written.

    Returns:
        As `metrics.json` of a run has it, with the `predictions` instead of the `run`.

    Raises:
        BadInput: The table cannot be used.
        AffuseError: It lacks a condition.
    """
    parts = read_predictions(path, conditions)
    first = next(iter(parts.values()))
    names = {} if isinstance(first.table, ClassTable) else {"dimensions": first.table.names}
    result = {
        "predictions": str(path),
        "task": first.task,
        "baseline": first.baseline,
        **names,
        "conditions": {name: _scores(part) for name, part in parts.items()},
    }
    if out is not None:
        _write(out, result)
        tables = {n: x.table for n, x in parts.items() if isinstance(x.table, ClassTable)}
        if tables:
            write_confidence_plots(out, tables, path.name)
    return result


def _scores(part: Predictions) -> dict[str, Any]:
    """The scores of a condition as JSON values."""
    if isinstance(part.table, ClassTable):
        return class_scores(part.table, part.speakers, part.folds)
    speakers = ["?"] * len(part.clips) if part.speakers is None else part.speakers.tolist()
    return {
        "videos": len(part.clips),
        "speakers": None if part.speakers is None else len({*speakers}),
        "frames": int(np.sum([len(x) for x in part.table.true])),
        **dimensional_scores(part.table, speakers),
        **no_interval(part.speakers),
    }


def score_rows(facts: Mapping[str, Any], of: str = "") -> Iterator[tuple[str, str, Any, Any, Any]]:
    """Every score of a condition: what it is of, metric, value, lower and upper bound.

    Args:
        facts: As `metrics.json` has them.
        of: Class, dimension or `raters` that they are of.
    """
    for name, value in facts.items():
        if f"{name}{_INTERVAL}" in facts:
            yield of, name, value, *facts[f"{name}{_INTERVAL}"]
        elif name in ("per_class", "dimensions"):
            for part, scores in value.items():
                yield from score_rows(scores, part)
        elif name in ("raters", "mean"):
            yield from score_rows(value, name)
        elif isinstance(value, float) and not name.endswith(_INTERVAL):
            yield of, name, value, None, None


def _write(out: Path, result: Mapping[str, Any]) -> None:
    """Write `metrics.json` and `metrics.csv`."""
    write_json(out / "metrics.json", result)
    header = ["condition", "baseline", "of", "metric", "value", "low", "high", "speakers"]
    rows = [
        [condition, result["baseline"], *(_cell(x) for x in row), facts["speakers"]]
        for condition, facts in result["conditions"].items()
        for row in score_rows(facts)
    ]
    write_csv(out / "metrics.csv", header, rows)


def _cell(value: object) -> object:
    return f"{value:.6f}" if isinstance(value, float) else value
