"""Robustness surfaces of runs: scores over how much recordings were changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from affuse.evaluation.report.charts import Chart, Line
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.figures import padded
from affuse.evaluation.report.tables import HEADS, Row, Table, led
from affuse.execution.tables import Sheet, rows_of

#: Where `affuse evaluate --surface` leaves it in the folder of an evaluation.
SURFACE_FILE = Path("surface", "surface.csv")
_COLUMNS = ("modality", "change", "value", "condition", "metric", "score", "low", "high", "clips")
_UNCHANGED = "unchanged"
_NOTE = (
    "Each modality alone, under the same change, is the floor: fusion below it would have done "
    "better to ignore the other modality."
)


@dataclass(frozen=True)
class Point:
    """A score of changed recordings.

    Args:
        modality: Which was changed; empty where nothing was.
        change: How, such as `babble`.
        value: How much, as the surface calls it.
        condition: What the model had of it.
        metric: What is scored.
        score: The score; NaN where it is undefined.
        low: Lower end of its interval; NaN for none.
        high: Upper end.
        clips: How many.
    """

    modality: str
    change: str
    value: str
    condition: str
    metric: str
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
    points = [_point(sheet, row) for _, row in rows_of(sheet, iter(sheet), _COLUMNS)]
    names = list(dict.fromkeys(x.metric for x in points))
    chosen = metric if metric in names else names[0] if names else ""
    return [x for x in points if x.metric == chosen]


def _point(sheet: Sheet, row: Mapping[str, str]) -> Point:
    modality, change, value, condition, metric = (row[name] for name in _COLUMNS[:5])
    score, low, high = (sheet.finite(row[name]) for name in ("score", "low", "high"))
    return Point(modality, change, value, condition, metric, score, low, high, row["clips"])


def surfaces(evaluated: Sequence[Evaluated], metric: str) -> tuple[list[Chart], Table | None]:
    """A chart for every model and change, on one scale, and all points as a table.

    Args:
        evaluated: What the report is about.
        metric: What is shown, where the surfaces have it.
    """
    charts: list[Chart] = []
    rows: list[Row] = []
    for one in evaluated:
        points = read_surface(one, metric)
        changed = [x for x in points if x.change]
        before = [x for x in points if not x.change]
        for change, part in groupby(changed, lambda x: x.change):
            charts.append(_panel(one.name, change, [*part], before))
        rows += [led(one, evaluated, row) for row in _rows(points)]
    if not rows:
        return [], None
    ends = [chart.y_range for chart in charts]
    shared = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 1.0)
    heads = 4 + (len(evaluated) > 1)
    caption = "Scores of changed recordings, with 95 % intervals over speakers"
    table = Table("surface", caption, rows, _NOTE, heads)
    return [replace(chart, y_range=shared) for chart in charts], table


def _rows(points: Sequence[Point]) -> Iterator[Row]:
    for x in points:
        interval = "" if np.isnan([x.low, x.high]).any() else f" [{x.low:.3f}, {x.high:.3f}]"
        score = None if np.isnan(x.score) else f"{x.score:.3f}{interval}"
        lead: Row = {"modality": x.modality, "change": x.change or _UNCHANGED, "value": x.value}
        yield lead | {"condition": x.condition, _head(x.metric): score, "clips": x.clips}


def _head(metric: str) -> str:
    return HEADS.get(metric, metric)


def _panel(name: str, change: str, points: Sequence[Point], before: Sequence[Point]) -> Chart:
    """Every condition over the values, and everything there of the recordings as they are."""
    values = list(dict.fromkeys(x.value for x in points))
    ends = (-0.3, len(values) - 0.7)
    lines = []
    for k, condition in enumerate(dict.fromkeys(x.condition for x in points)):
        own = [x for x in points if x.condition == condition]
        place = [values.index(x.value) for x in own]
        lows, highs = [x.low for x in own], [x.high for x in own]
        lines.append(Line(condition, place, [x.score for x in own], k, lows, highs, marked=True))
    if before:
        label = f"{before[0].condition}, {_UNCHANGED}"
        lines.append(Line(label, ends, [before[0].score, before[0].score], len(lines)))
    every = np.array([[x.score, x.low, x.high] for x in (*points, *before[:1])])
    every = every[np.isfinite(every)]
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    said = [f"{x.condition} at {x.value}: {x.score:.3f}" for x in points if x.score == x.score]
    head = _head(points[0].metric)
    alt = f"{head} where {points[0].modality} is changed by {change}; {', '.join(said)}"
    ticks = [*enumerate(values)]
    span = padded(low, high)
    return Chart(f"{name}: {change}", alt, change, head, lines, ends, span, x_ticks=ticks)
