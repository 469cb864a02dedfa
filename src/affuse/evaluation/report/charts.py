"""Line charts as places in an SVG, which the template draws in the colours of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

#: Size of the drawing in its own units, and the box of the axes within it.
WIDTH, HEIGHT = 440.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 10.0, 46.0
#: Different lines have different colours, dashes and marks.
STYLES = 6
#: Points of a line; more cannot be told apart.
_POINTS = 160


@dataclass(frozen=True)
class Line:
    """Points that belong together.

    Args:
        label: In the legend; empty for none.
        x: (n,) places along.
        y: (n,) places up; points with NaN are left out.
        style: Which colour, dashes and mark, from 0.
        low: (n,) lower ends of intervals, or None.
        high: (n,) upper ends.
        joined: Whether points are joined by a line.
        marked: Whether points are marked.
    """

    label: str
    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    style: int = 0
    low: Sequence[float] | np.ndarray | None = None
    high: Sequence[float] | np.ndarray | None = None
    joined: bool = True
    marked: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart.

    Args:
        title: Above it.
        alt: What is seen, for those who do not see it.
        across: What the x axis shows.
        up: What the y axis shows.
        lines: What is drawn.
        x_range: Ends of the x axis.
        y_range: Ends of the y axis.
        x_ticks: Places and words; round numbers by default.
        y_ticks: Likewise.
        diagonal: Whether y = x is drawn.
    """

    title: str
    alt: str
    across: str
    up: str
    lines: Sequence[Line]
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    x_ticks: Sequence[tuple[float, str]] = ()
    y_ticks: Sequence[tuple[float, str]] = ()
    diagonal: bool = False


@dataclass(frozen=True)
class DrawnLine:
    """A line in places of the drawing.

    Args:
        label: In the legend.
        style: Number of it.
        points: Of the polyline, as SVG writes them; empty where points are not joined.
        marks: Places of the marks.
        bars: x, lower and upper end of intervals.
    """

    label: str
    style: int
    points: str
    marks: list[tuple[str, str]]
    bars: list[tuple[str, str, str]]


@dataclass(frozen=True)
class DrawnChart:
    """A chart in places of the drawing.

    Args:
        chart: What is drawn.
        lines: Its lines.
        x_ticks: Places along and words.
        y_ticks: Places up and words.
        diagonal: Its ends, or empty.
    """

    chart: Chart
    lines: list[DrawnLine]
    x_ticks: list[tuple[str, str]]
    y_ticks: list[tuple[str, str]]
    diagonal: list[str] = field(default_factory=list)

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM

    @property
    def legend(self) -> list[tuple[str, int, bool]]:
        """Words and styles, each once, and whether points are marked."""
        found = ((x.label, x.style, bool(x.marks)) for x in self.lines if x.label)
        return list(dict.fromkeys(found))


def drawn(chart: Chart) -> DrawnChart:
    """A chart in places of the drawing."""
    ends = [
        _place(*chart.x_range, chart.x_range, True),
        _place(*chart.y_range, chart.y_range, False),
    ]
    return DrawnChart(
        chart,
        [_line(line, chart) for line in chart.lines],
        _ticks(chart.x_ticks, chart.x_range, True),
        _ticks(chart.y_ticks, chart.y_range, False),
        [*map(_text, (*ends[0], *ends[1]))] if chart.diagonal else [],
    )


def round_ticks(low: float, high: float, most: int = 6) -> list[tuple[float, str]]:
    """Round numbers within a range, and how they are written.

    Args:
        low: Its lower end.
        high: Its upper end.
        most: How many at most.
    """
    steps = (m * 10.0**e for e in range(-6, 7) for m in (1, 2, 5))
    step = next(step for step in steps if (high - low) / step < most)
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    return [(k * step, f"{k * step:,.{digits}f}") for k in range(first, last + 1)]


def _line(line: Line, chart: Chart) -> DrawnLine:
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    there = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if len(there) > _POINTS and not line.marked:
        there = there[np.linspace(0, len(there) - 1, _POINTS).round().astype(int)]
    left, up = _places(x[there], chart.x_range, True), _places(y[there], chart.y_range, False)
    places = [(_text(a), _text(b)) for a, b in zip(left, up, strict=True)]
    return DrawnLine(
        line.label,
        line.style % STYLES,
        " ".join(f"{a},{b}" for a, b in places) if line.joined else "",
        places if line.marked else [],
        _bars(line, there, left, chart),
    )


def _bars(
    line: Line, there: np.ndarray, left: np.ndarray, chart: Chart
) -> list[tuple[str, str, str]]:
    if line.low is None or line.high is None:
        return []
    low, high = np.asarray(line.low, float)[there], np.asarray(line.high, float)[there]
    ends = _places(low, chart.y_range, False), _places(high, chart.y_range, False)
    return [
        (_text(x), _text(a), _text(b))
        for x, a, b in zip(left, *ends, strict=True)
        if np.isfinite(a) and np.isfinite(b)
    ]


def _ticks(
    told: Sequence[tuple[float, str]], ends: tuple[float, float], along: bool
) -> list[tuple[str, str]]:
    found = told or round_ticks(*ends)
    places = _places(np.array([x for x, _ in found]), ends, along)
    return [(_text(place), word) for place, (_, word) in zip(places, found, strict=True)]


def _places(values: np.ndarray, ends: tuple[float, float], along: bool) -> np.ndarray:
    """Values as places in the drawing, those beyond the ends at the ends."""
    share = np.clip((values - ends[0]) / (ends[1] - ends[0]), 0, 1)
    if along:
        return np.asarray(LEFT + share * (WIDTH - LEFT - RIGHT))
    return np.asarray(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM))


def _place(low: float, high: float, ends: tuple[float, float], along: bool) -> np.ndarray:
    return _places(np.array([low, high]), ends, along)


def _text(place: float) -> str:
    return f"{place:.1f}"
