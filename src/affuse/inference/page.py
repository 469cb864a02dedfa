"""A timeline as one HTML page that needs nothing else."""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import shown
from affuse.inference.attribution.heat import heated_frames, words_at
from affuse.inference.attribution.page import explained_facts
from affuse.inference.circumplex import WORDS, drawn, place, plane_of, side
from affuse.inference.colours import DIMENSION_COLOURS, colours_of
from affuse.inference.plot import presence_spans
from affuse.inference.quality_marks import (
    low_spans,
    low_summary,
    quality_rows,
    quality_sentence,
    quality_words,
)
from affuse.inference.remarks import remarks
from affuse.media.data_uri import jpeg_uri
from affuse.tasks.naming import CLEAR, MARGIN
from affuse.tasks.prediction import KeyFrame, Prediction
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

_WIDTH, _HEIGHT = 1000.0, 260.0


def timeline_page(timeline: Prediction) -> str:
    """The page: key frames over the curves, presence below, values under pointer or arrow keys.

    Args:
        timeline: What is shown.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    template, facts = _shown_facts(timeline)
    tick_unit, ticks = _ticks(timeline.duration)
    text: str = environment.get_template(template).render(
        name=timeline.title,
        headline=shown(timeline.headline),
        remarks=[shown(remark) for remark in remarks(timeline)],
        duration=timeline.duration,
        model=timeline.model,
        width=_WIDTH,
        height=_HEIGHT,
        ticks=ticks,
        tick_unit=tick_unit,
        frames=[
            (100 * f.time / timeline.duration, jpeg_uri(f.picture), words_at(timeline, f))
            for f in heated_frames(timeline)
        ],
        explained=explained_facts(timeline),
        frames_ratio=_ratio(timeline.key_frames),
        presence=_presence(timeline),
        low=_low(timeline),
        quality=quality_sentence(timeline),
        **facts | {"data": facts["data"] | _quality_data(timeline)},
    )
    return text


def _low(timeline: Prediction) -> tuple[str, list[tuple[float, float]]] | None:
    """How much is of low quality, with left edge and width of its stretches in percent."""
    spans = [_percent(span, timeline) for span in low_spans(timeline)]
    return (low_summary(timeline), spans) if spans else None


def _quality_data(timeline: Prediction) -> dict[str, Any]:
    """What is measured of each row, and why it is of low quality."""
    reasons = timeline.quality.reasons
    return {
        "measures": quality_words(timeline),
        "quality": quality_rows(timeline),
        "low": {k: "; ".join(why) for k, why in enumerate(reasons) if why},
        "withheld": [] if timeline.withheld is None else np.flatnonzero(timeline.withheld).tolist(),
    }


def _ticks(duration: float) -> tuple[str, list[tuple[str, float]]]:
    """The unit of time, and up to seven round times with their places in percent."""
    steps = [m * 10.0**e for e in range(-3, 1) for m in (1, 2, 5)] + [10, 15, 20, 30]
    steps += [60.0 * m for m in (1, 2, 5, 10, 15, 20, 30, 60, 120, 240, 480, 1440)]
    step = next((step for step in steps if duration / step <= 6), duration / 6)
    times = np.arange(int(duration / step + 1e-6) + 1) * step
    minutes = duration >= 120
    digits = max(0, -int(np.floor(np.log10(step) + 1e-9)))
    return "minutes:seconds" if minutes else "seconds", [
        (
            f"{int(t) // 60}:{int(t) % 60:02d}" if minutes else f"{t:.{digits}f}",
            float(100 * t / duration),
        )
        for t in times
    ]


def _ratio(frames: list[KeyFrame]) -> float:
    """Width of all key frames beside each other, in heights of the highest."""
    highest = max((f.picture.shape[0] / f.picture.shape[1] for f in frames), default=1.0)
    return len(frames) / (0.98 * highest) or 1.0


def _presence(timeline: Prediction) -> list[tuple[str, str, list[tuple[float, float]]]]:
    """Modality, its share in words, and left edge and width of its stretches in percent."""
    return [
        (
            {"audio": "sound", "video": "face"}.get(name, name),
            presence.summary,
            [_percent(span, timeline) for span in presence_spans(presence, timeline.duration)],
        )
        for name, presence in timeline.presence.items()
    ]


def _percent(span: tuple[float, float], timeline: Prediction) -> tuple[float, float]:
    start, end = span
    return 100 * start / timeline.duration, 100 * (end - start) / timeline.duration


@singledispatch
def _shown_facts(timeline: Prediction) -> tuple[str, dict[str, Any]]:
    """The template of a kind of prediction, and what it shows alone."""
    raise TypeError(f"{type(timeline).__name__} has no page")


@_shown_facts.register
def _classes(timeline: Timeline) -> tuple[str, dict[str, Any]]:
    names = [shown(name) for name in timeline.classes]
    colours = colours_of(timeline.classes)
    order = np.argsort(-timeline.overall, kind="stable")
    return "classes.html", {
        "ranking": [
            (names[k], float(timeline.overall[k]), colours[k])
            for k in order
            if timeline.known.any()
        ],
        "curves": [
            (name, colours[k], _class_lines(timeline, 1 - timeline.probabilities[:, k]))
            for k, name in enumerate(names)
        ],
        "levels": [(f"{level:g}", 100 * (1 - level)) for level in (0, 0.25, 0.5, 0.75, 1)],
        "clear": CLEAR,
        "margin": MARGIN,
        "ratings": list(timeline.mean_ratings.items()),
        "data": {
            "names": names,
            "duration": timeline.duration,
            "times": [round(float(t), 3) for t in timeline.centres],
            "rows": _rounded(timeline.probabilities),
            "said": [
                None if np.isnan(row).any() else shown(str(timeline.said(k)))
                for k, row in enumerate(timeline.probabilities)
            ],
        },
    }


def _class_lines(timeline: Timeline, heights: np.ndarray) -> list[tuple[str, str]]:
    """Kind and SVG points of the lines of a class; a window between unknown ones is a dot."""
    centres = timeline.centres
    lines = []
    for first, end in timeline.parts:
        part = np.arange(first, end) if end - first > 1 else np.array([first, first])
        kind = "" if end - first > 1 else "dot"
        lines.append((kind, _points(timeline, centres[part], heights[part])))
    for start, stop, window in timeline.edges:
        ends = np.array([start, stop])
        lines.append(("edge", _points(timeline, ends, heights[[window, window]])))
    return lines


@_shown_facts.register
def _values(timeline: ValuesTimeline) -> tuple[str, dict[str, Any]]:
    heights = (1 - timeline.values) / 2
    parts = drawn(timeline)
    plane = plane_of(timeline)
    return "values.html", {
        "gaps": [_percent(span, timeline) for span in timeline.gaps],
        "curves": [
            (
                name,
                DIMENSION_COLOURS[k],
                [("", _points(timeline, timeline.times[p], heights[p, k])) for p in parts],
            )
            for k, name in enumerate(timeline.dimensions)
        ],
        "levels": [(f"{level:g}", 50 * (1 - level)) for level in (-1, -0.5, 0, 0.5, 1)],
        "facts": [
            (name, *(float(of(column)) for of in (np.nanmean, np.nanmin, np.nanmax)))
            for name, column in zip(timeline.dimensions, timeline.values.T, strict=True)
            if timeline.known.any()
        ],
        "words": [
            (word, *place(word, 1.06), ("end", "middle", "start")[side(word) + 1]) for word in WORDS
        ],
        "way": None if plane is None else _way(timeline, plane, parts),
        "data": {
            "names": timeline.dimensions,
            "duration": timeline.duration,
            "times": [round(float(t), 3) for t in timeline.times],
            "rows": _rounded(timeline.values),
            "plane": None
            if plane is None
            else [timeline.dimensions.index(name) for name in ("valence", "arousal")],
        },
    }


def _way(
    timeline: ValuesTimeline, plane: np.ndarray, parts: list[np.ndarray]
) -> list[tuple[str, str]]:
    """Colour and points of short pieces of the way through the plane."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    pieces = []
    for part in parts:
        length = max(2, len(part) // 100)
        for first in range(0, max(len(part) - 1, 1), length):
            piece = part[first : first + length + 1]
            colour = colormaps["viridis"](timeline.times[piece[0]] / timeline.duration)
            points = " ".join(f"{x:.3f},{-y:.3f}" for x, y in plane[piece])
            pieces.append((to_hex(colour), points))
    return pieces


def _points(timeline: Prediction, times: np.ndarray, heights: np.ndarray) -> str:
    """A line as SVG points; heights from the top, 0 to 1."""
    x, y = times / timeline.duration * _WIDTH, heights * _HEIGHT
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _rounded(rows: np.ndarray) -> list[list[float] | None]:
    return [None if np.isnan(row).any() else [round(float(p), 4) for p in row] for row in rows]
