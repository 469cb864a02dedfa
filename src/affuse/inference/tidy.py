"""All people of a recording in one tidy table: a row per person and window."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from affuse.execution.files import write_csv
from affuse.media.contents import contents_of
from affuse.tasks.prediction import Prediction
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline


def write_tidy(path: Path, timelines: Sequence[Prediction]) -> None:
    """Write `recording, person, start, end, first_frame, last_frame`, what the model says, and why
    quality is low.

    Frames are those shown from `start` on and before `end`, numbered from 1 in the order in which
    they are shown; empty where there are none.

    Args:
        path: The file.
        timelines: Of one recording.

    Raises:
        BadInput: It was in memory.
    """
    first = timelines[0]
    first.check_file()
    track = contents_of(first.source, first.tracks).timing.video
    shown = np.zeros(0) if track is None else np.unique(track.starts)
    header = ["recording", "person", "start", "end", "first_frame", "last_frame"]
    rows = []
    for timeline in timelines:
        names, starts, ends, cells = _columns(timeline)
        for k, own in enumerate(cells):
            frames = _frames(shown, starts[k], ends[k])
            rows.append(
                [
                    first.source.name,
                    timeline.person,
                    f"{starts[k]:.4f}",
                    f"{ends[k]:.4f}",
                    *frames,
                    *own,
                    "; ".join(timeline.quality.reasons[k]),
                ]
            )
    write_csv(path, [*header, *names, "low_quality"], rows)


def _frames(shown: np.ndarray, start: float, end: float) -> tuple[Any, Any]:
    """Numbers of the first and the last frame that are shown in a stretch of time."""
    first = max(int(np.searchsorted(shown, start + 1e-6, "right")), 1)
    last = max(int(np.searchsorted(shown, end - 1e-6, "left")), first)
    return (first, last) if len(shown) and first <= len(shown) else ("", "")


@singledispatch
def _columns(timeline: Prediction) -> tuple[list[str], np.ndarray, np.ndarray, list[list[str]]]:
    """Names of the columns, starts and ends in seconds, and the cells of each row."""
    raise TypeError(f"{type(timeline).__name__} has no rows")


@_columns.register
def _windows(timeline: Timeline) -> tuple[list[str], np.ndarray, np.ndarray, list[list[str]]]:
    cells = [
        [timeline.said(k) or "", *("" if np.isnan(p) else f"{p:.6f}" for p in row)]
        for k, row in enumerate(timeline.probabilities)
    ]
    return ["emotion", *timeline.classes], timeline.starts, timeline.ends, cells


@_columns.register
def _moments(timeline: ValuesTimeline) -> tuple[list[str], np.ndarray, np.ndarray, list[list[str]]]:
    cells = [["" if np.isnan(x) else f"{x:.6f}" for x in row] for row in timeline.values]
    ends = np.append(timeline.times[1:], max(timeline.duration, timeline.times[-1]))
    return timeline.dimensions, timeline.times, ends, cells
