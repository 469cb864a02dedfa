"""How a score differs between folds and between speakers."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from affuse.evaluation.predictions import Predictions
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.tables import HEADS, Row, Table, led
from affuse.metrics.jackknife import group_sums
from affuse.tasks.dimensional_scores import SeriesTable


def scores_by(part: Predictions, groups: np.ndarray, metric: str) -> dict[str, float]:
    """A score of each group of clips; NaN where it is undefined.

    Args:
        part: The predictions.
        groups: (N,) names.
        metric: One of those that the table has.
    """
    sums = group_sums(part.table.sums, groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        scores = part.table.scores(sums)[metric]
    return dict(zip(map(str, np.unique(groups)), map(float, scores), strict=True))


#: Speakers beyond which they are not listed one by one.
_LISTED = 200


def has_speakers(part: Predictions) -> bool:
    """Whether single speakers have scores: there are several, with several clips or frames each."""
    if part.speakers is None:
        return False
    count = len({*part.speakers})
    series = isinstance(part.table, SeriesTable)
    return count > 1 and (series or len(part.clips) >= 2 * count)


def group_tables(evaluated: Sequence[Evaluated], metric: str) -> list[Table]:
    """A score by fold, how it is spread over speakers, and by speaker.

    Args:
        evaluated: What the report is about.
        metric: Which score.
    """
    makers = (_folds, _spread, _speakers)
    return [table for make in makers if (table := make(evaluated, metric)) is not None]


def _folds(evaluated: Sequence[Evaluated], metric: str) -> Table | None:
    rows: list[Row] = []
    names: dict[str, None] = {}
    for one in evaluated:
        for condition, part in one.predictions.items():
            if part.folds is None or len(set(part.folds)) < 2:
                continue
            scores = scores_by(part, part.folds, metric)
            names |= dict.fromkeys(f"fold {name}" for name in scores)
            values = np.array([*scores.values()])
            row: Row = {f"fold {name}": _number(x) for name, x in scores.items()}
            more: Row = {"mean": _number(values.mean()), "SD": _number(values.std(ddof=1))}
            rows.append(led(one, evaluated, {"condition": condition} | row | more))
    if not rows:
        return None
    lead = [name for name in ("model", "condition") if name in rows[0]]
    columns = [*lead, *sorted(names, key=lambda name: (len(name), name)), "mean", "SD"]
    rows = [{name: row.get(name) for name in columns} for row in rows]
    return Table("folds", f"{_title(metric)} by fold", rows, heads=len(lead))


def _spread(evaluated: Sequence[Evaluated], metric: str) -> Table | None:
    rows: list[Row] = []
    for one in evaluated:
        for condition, part in one.predictions.items():
            if part.speakers is None or not has_speakers(part):
                continue
            scores = scores_by(part, part.speakers, metric)
            values = np.array([*scores.values()])
            values = values[np.isfinite(values)]
            if not len(values):
                continue
            ends = dict(zip(_QUARTERS, np.quantile(values, np.arange(5) / 4), strict=True))
            row: Row = {"condition": condition, "speakers": len(scores)}
            quarters: Row = {name: _number(x) for name, x in ends.items()}
            rows.append(led(one, evaluated, row | quarters))
    heads = 1 + (len(evaluated) > 1)
    caption = f"{_title(metric)} of single speakers: how it is spread"
    return Table("spread", caption, rows, heads=heads) if rows else None


_QUARTERS = ("min", "lower quarter", "median", "upper quarter", "max")


def _speakers(evaluated: Sequence[Evaluated], metric: str) -> Table | None:
    """Under the first condition of each model."""
    found: dict[str, Row] = {}
    for one in evaluated:
        part = one.first
        if part.speakers is None or not has_speakers(part):
            continue
        head = f"{one.name}, {next(iter(one.conditions))}"
        counts = dict(zip(*np.unique(part.speakers, return_counts=True), strict=True))
        for name, score in scores_by(part, part.speakers, metric).items():
            row = found.setdefault(name, {"speaker": name, "clips": int(counts[name])})
            row[head] = _number(score)
    rows = [found[name] for name in sorted(found, key=_natural)]
    if not 0 < len(rows) <= _LISTED:
        return None
    return Table("speakers", f"{_title(metric)} by speaker", rows)


def _natural(name: str) -> list[tuple[int, str]]:
    """For sorting: numbers in a name by their size."""
    return [(int(x), "") if x.isdigit() else (0, x) for x in re.split(r"(\d+)", name)]


def _title(metric: str) -> str:
    head = HEADS[metric]
    return head[0].upper() + head[1:]


def _number(value: float) -> str | None:
    return f"{value:.3f}" if np.isfinite(value) else None
