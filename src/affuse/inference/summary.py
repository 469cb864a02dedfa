"""What the table of many recordings says about the people of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from affuse.inference.output import name_of
from affuse.inference.quality_marks import row_edges
from affuse.inference.tables import Row
from affuse.tasks.naming import UNCLEAR, WITHHELD
from affuse.tasks.prediction import Prediction
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

_SHARES = {"seen": "video", "heard": "audio"}


def summary_rows(timelines: Sequence[Prediction], name: Path) -> list[Row]:
    """The rows of one recording.

    Args:
        timelines: As they were written.
        name: Of the files of the main person, below the output folder, without a suffix.

    Returns:
        A row for each; all have the same columns, for one model.
    """
    return [_row(timeline, name) for timeline in timelines]


def _row(timeline: Prediction, name: Path) -> Row:
    seconds = np.diff(row_edges(timeline)).clip(min=0)
    if not seconds.sum():  # an image is one moment
        seconds = np.ones(len(seconds))

    def share(rows: np.ndarray) -> str:
        return f"{seconds[rows].sum() / seconds.sum():.4f}"

    none = np.zeros(len(timeline.known), bool)
    own = name.with_name(name_of(name.name, timeline.person))
    row = {
        "timeline": own.as_posix(),
        "person": str(timeline.person),
        "duration": f"{timeline.duration:.4f}",
    }
    for column, modality in _SHARES.items():
        there = timeline.presence.get(modality)
        row[column] = "" if there is None else f"{there.share:.4f}"
    row["withheld"] = share(none if timeline.withheld is None else timeline.withheld)
    row["predicted"] = share(timeline.known)
    row |= _said(timeline, lambda rows: seconds[rows].sum())
    row |= timeline.quality.medians()
    row["low_quality"] = share(timeline.quality.low)
    row["low_quality_reasons"] = "; ".join(timeline.quality.counts())
    row["notes"] = "; ".join(timeline.notes)
    return row


@singledispatch
def _said(timeline: Prediction, seconds: Callable[[np.ndarray], float]) -> Row:
    """What the model says about the whole recording.

    Args:
        timeline: Of one person.
        seconds: How long some rows (N,) bool last together.
    """
    raise TypeError(f"{type(timeline).__name__} has no summary")


@_said.register
def _classes(timeline: Timeline, seconds: Callable[[np.ndarray], float]) -> Row:
    said = np.array([timeline.said(k) or "" for k in range(len(timeline.starts))])
    lasted = {name: seconds(said == name) for name in timeline.classes}
    known = seconds(timeline.known)
    frequent = max(lasted, key=lasted.__getitem__) if any(lasted.values()) else ""
    row = {
        "emotion": timeline.emotion,
        "most_frequent": frequent or (UNCLEAR if known else WITHHELD),
        "most_frequent_share": f"{lasted[frequent] / known:.4f}" if frequent else "",
    }
    row |= {c: _number(p, 6) for c, p in zip(timeline.classes, timeline.overall, strict=True)}
    means = timeline.mean_ratings
    return row | {
        f"{name}_experimental": _number(means.get(name, np.nan), 4) for name in timeline.ratings
    }


@_said.register
def _values(timeline: ValuesTimeline, seconds: Callable[[np.ndarray], float]) -> Row:
    known = timeline.values[timeline.known]
    facts: dict[str, Callable[[np.ndarray], Any]] = {
        "mean": np.mean,
        "sd": np.std,
        "min": np.min,
        "max": np.max,
    }
    return {
        f"{name}_{fact}": _number(float(of(known[:, d])) if len(known) else np.nan, 6)
        for d, name in enumerate(timeline.dimensions)
        for fact, of in facts.items()
    }


def _number(value: float, digits: int) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"
