"""Robustness surfaces of runs: scores over how much recordings were changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from affuse.evaluation.report.charts import Chart, Line
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.figures import padded
from affuse.evaluation.report.tables import HEADS, Row, Table, led
from affuse.execution.tables import Sheet, rows_of

#: Where it lies in the folder of an evaluation.
SURFACE_FILE = Path("surface", "surface.csv")
_COLUMNS = ("modality", "change", "value", "condition", "metric", "score", "low", "high", "clips")
_OTHER = {"audio": "video", "video": "audio"}


@dataclass(frozen=True)
class Point:
    """A score of changed recordings.

    Args:
        modality: Which was changed.
        change: How, such as `babble`.
        value: How much, as the surface calls it.
        condition: What the model had of it.
        score: The score.
        low: Lower end of its interval; NaN for none.
        high: Upper end.
        clips: How many.
    """

    modality: str
    change: str
    value: str
    condition: str
    score: float
    low: float
    high: float
    clips: str


def read_surface(one: Evaluated, metric: str) -> list[Point]:
    """The points of the surface of a run by one metric: the one asked for, or the first there is.

    Args:
        one: An evaluated run; there may be no surface, and then there are no points.
        metric: Name of the metric.

    Raises:
        BadInput: The table cannot be read.
    """
    file = None if one.folder is None else one.folder / SURFACE_FILE
    if file is None or not file.is_file():
        return []
    sheet = Sheet(file, _COLUMNS)
    rows = [row for _, row in rows_of(sheet, iter(sheet), _COLUMNS)]
    names = {row["metric"]: None for row in rows}
    chosen = metric if metric in names else next(iter(names), metric)
    return [_point(sheet, row) for row in rows if row["metric"] == chosen]


def _point(sheet: Sheet, row: Mapping[str, str]) -> Point:
    modality, change, value, condition = (row[name] for name in _COLUMNS[:4])
    score, low, high = (sheet.finite(row[name]) for name in ("score", "low", "high"))
    return Point(modality, change, value, condition, score, low, high, row["clips"])


def surfaces(evaluated: Sequence[Evaluated], metric: str) -> tuple[list[Chart], Table | None]:
    """A chart for every model and change, and all points as a table."""
    charts: list[Chart] = []
    rows: list[Row] = []
    for one in evaluated:
        points = read_surface(one, metric)
        for (modality, change), part in groupby(points, lambda x: (x.modality, x.change)):
            charts.append(_panel(one, modality, change, [*part], metric))
        rows += [led(one, evaluated, row) for row in _rows(points, metric)]
    heads = 4 + (len(evaluated) > 1)
    caption = "Scores of changed recordings, with 95 % intervals over speakers"
    ends = [chart.y_range for chart in charts]
    shared = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 1.0)
    charts = [replace(chart, y_range=shared) for chart in charts]
    return charts, Table("surface", caption, rows, heads=heads) if rows else None


def _rows(points: Sequence[Point], metric: str) -> Iterator[Row]:
    for x in points:
        interval = "" if np.isnan([x.low, x.high]).any() else f" [{x.low:.3f}, {x.high:.3f}]"
        score = None if np.isnan(x.score) else f"{x.score:.3f}{interval}"
        lead: Row = {"modality": x.modality, "change": x.change, "value": x.value}
        yield lead | {"condition": x.condition, HEADS[metric]: score, "clips": x.clips}


def _panel(
    one: Evaluated, modality: str, change: str, points: Sequence[Point], metric: str
) -> Chart:
    values = list(dict.fromkeys(x.value for x in points))
    ends = (-0.3, max(len(values) - 1, 0) + 0.3)
    lines = []
    for k, condition in enumerate(dict.fromkeys(x.condition for x in points)):
        own = [x for x in points if x.condition == condition]
        place = [values.index(x.value) for x in own]
        lows, highs = [x.low for x in own], [x.high for x in own]
        label = f"{condition}, changed"
        lines.append(Line(label, place, [x.score for x in own], k, lows, highs, marked=True))
    floor = _floor(one.conditions, modality, metric)
    other = _OTHER.get(modality, "")
    if floor is not None and all(x.condition != other for x in points):
        lines.append(Line(f"{other} alone: the floor", ends, [floor, floor], len(lines)))
    every = np.array(
        [x for line in lines for x in (*line.y, *(line.low or ()), *(line.high or ()))]
    )
    every = every[np.isfinite(every)]
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    said = [f"{x.condition} at {x.value}: {x.score:.3f}" for x in points]
    return Chart(
        f"{one.name}: {change}",
        f"{HEADS[metric]} where {modality} is changed by {change}; {', '.join(said)}",
        change,
        HEADS[metric],
        lines,
        ends,
        padded(low, high),
        x_ticks=[*enumerate(values)],
    )


def _floor(conditions: Mapping[str, Mapping[str, Any]], modality: str, metric: str) -> float | None:
    """The score of the modality that was not changed, alone."""
    scores = conditions.get(_OTHER.get(modality, ""), {})
    for part in (scores, scores.get("raters", {}), scores.get("mean", {})):
        if part.get(metric) is not None:
            return float(part[metric])
    return None
