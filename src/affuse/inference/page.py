"""A timeline as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from affuse.inference.circumplex import WORDS, drawn, place, plane_of, side
from affuse.inference.plot import COLOURS, DIMENSION_COLOURS, presence_spans
from affuse.inference.timeline import Prediction, Timeline
from affuse.inference.values import ValuesTimeline, stretches

_WIDTH, _HEIGHT = 1000.0, 260.0


def timeline_page(timeline: Timeline | ValuesTimeline) -> str:
    """The page: key frames over the curves, presence below, values under the pointer.

    Args:
        timeline: What is shown.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    if isinstance(timeline, Timeline):
        template, facts = "classes.html", _classes(timeline)
    else:
        template, facts = "values.html", _values(timeline)
    return environment.get_template(template).render(
        name=timeline.source.name,
        headline=timeline.headline,
        duration=timeline.duration,
        model=timeline.model,
        width=_WIDTH,
        height=_HEIGHT,
        frames=[(100 * f.time / timeline.duration, _jpeg(f.picture)) for f in timeline.key_frames],
        presence=_presence(timeline),
        **facts,
    )


def _presence(timeline: Prediction) -> list[tuple[str, float, list[tuple[float, float]]]]:
    """Modality, its share, and left edge and width of its stretches in percent."""
    return [
        (
            {"audio": "sound", "video": "face"}.get(name, name),
            presence.share,
            [_percent(span, timeline) for span in presence_spans(presence, timeline.duration)],
        )
        for name, presence in timeline.presence.items()
    ]


def _percent(span: tuple[float, float], timeline: Prediction) -> tuple[float, float]:
    start, end = span
    return 100 * start / timeline.duration, 100 * (end - start) / timeline.duration


def _classes(timeline: Timeline) -> dict[str, Any]:
    """What only a page of classes shows."""
    order = np.argsort(-timeline.overall)
    times, rows = timeline.curve()
    parts = [np.arange(i, j) for i, j in stretches(~np.isnan(rows).any(1))]
    return {
        "ranking": [
            (timeline.classes[k], float(timeline.overall[k]), COLOURS[k % len(COLOURS)])
            for k in order
        ],
        "curves": [
            (name, COLOURS[k % len(COLOURS)], _paths(timeline, times, 1 - rows[:, k], parts))
            for k, name in enumerate(timeline.classes)
        ],
        "ratings": list(timeline.mean_ratings.items()),
        "data": {
            "names": timeline.classes,
            "colours": list(COLOURS),
            "duration": timeline.duration,
            "times": [round(float(t), 3) for t in timeline.centres],
            "rows": _rounded(timeline.probabilities),
        },
    }


def _values(timeline: ValuesTimeline) -> dict[str, Any]:
    """What only a page of values over time shows."""
    heights = (1 - timeline.values) / 2
    parts = drawn(timeline)
    plane = plane_of(timeline)
    return {
        "gaps": [_percent(span, timeline) for span in timeline.gaps],
        "curves": [
            (name, DIMENSION_COLOURS[k], _paths(timeline, timeline.times, heights[:, k], parts))
            for k, name in enumerate(timeline.dimensions)
        ],
        "facts": [
            (name, *(float(of(column)) for of in (np.nanmean, np.nanmin, np.nanmax)))
            for name, column in zip(timeline.dimensions, timeline.values.T, strict=True)
        ],
        "words": [
            (word, *place(word, 1.06), ("end", "middle", "start")[side(word) + 1]) for word in WORDS
        ],
        "way": None if plane is None else _way(timeline, plane, parts),
        "data": {
            "names": timeline.dimensions,
            "colours": list(DIMENSION_COLOURS),
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


def _paths(
    timeline: Prediction, times: np.ndarray, heights: np.ndarray, parts: list[np.ndarray]
) -> list[str]:
    """A curve as SVG point lists, one per stretch without gaps; heights from the top, 0 to 1."""
    x, y = times / timeline.duration * _WIDTH, heights * _HEIGHT
    return [" ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[p], y[p], strict=True)) for p in parts]


def _rounded(rows: np.ndarray) -> list[list[float] | None]:
    return [None if np.isnan(row).any() else [round(float(p), 4) for p in row] for row in rows]


def _jpeg(picture: np.ndarray) -> str:
    """RGB picture as base64 JPEG."""
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done
    return base64.b64encode(data.tobytes()).decode()
