"""A timeline as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from pathlib import Path

import cv2
import numpy as np

from affuse.inference.plot import COLOURS, presence_spans
from affuse.inference.timeline import Timeline

_WIDTH, _HEIGHT = 1000.0, 260.0


def timeline_page(timeline: Timeline) -> str:
    """The page: key frames over the curves, presence below, values under the pointer.

    Args:
        timeline: What is shown.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    order = np.argsort(-timeline.overall)
    return environment.get_template("timeline.html").render(
        name=timeline.source.name,
        duration=timeline.duration,
        emotion=timeline.emotion,
        model=timeline.model,
        width=_WIDTH,
        height=_HEIGHT,
        ranking=[
            (timeline.classes[k], float(timeline.overall[k]), COLOURS[k % len(COLOURS)])
            for k in order
        ],
        curves=[
            (name, COLOURS[k % len(COLOURS)], _paths(timeline, k))
            for k, name in enumerate(timeline.classes)
        ],
        frames=[(100 * f.time / timeline.duration, _jpeg(f.picture)) for f in timeline.key_frames],
        presence=[
            (
                {"audio": "sound", "video": "face"}.get(name, name),
                presence.share,
                [
                    (100 * a / timeline.duration, 100 * (b - a) / timeline.duration)
                    for a, b in presence_spans(presence, timeline.duration)
                ],
            )
            for name, presence in timeline.presence.items()
        ],
        data={
            "classes": timeline.classes,
            "colours": list(COLOURS),
            "duration": timeline.duration,
            "centres": [round(float(t), 3) for t in timeline.centres],
            "probabilities": [
                None if np.isnan(row).any() else [round(float(p), 4) for p in row]
                for row in timeline.probabilities
            ],
        },
    )


def _paths(timeline: Timeline, k: int) -> list[str]:
    """The curve of a class as SVG point lists, one per stretch without gaps."""
    times, rows = timeline.curve()
    x, y = times / timeline.duration * _WIDTH, (1 - rows[:, k]) * _HEIGHT
    known = ~np.isnan(y)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(int), [0]])))
    return [
        " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[i:j], y[i:j], strict=True))
        for i, j in edges.reshape(-1, 2)
    ]


def _jpeg(picture: np.ndarray) -> str:
    """RGB picture as base64 JPEG."""
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert done
    return base64.b64encode(data.tobytes()).decode()
