"""Timelines as labelled segments, for the programs that people code behaviour with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

import numpy as np

from affuse.interchange.cells import runs, window_edges
from affuse.interchange.segments import EMOTION, Coding, Segment
from affuse.tasks.naming import UNCLEAR, WITHHELD
from affuse.tasks.prediction import Prediction
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

#: Seconds over which continuous values are averaged, and to what they are rounded then.
BIN, STEP = 0.5, 0.1


def coding_of(timelines: Sequence[Prediction]) -> Coding:
    """The segments of the people of one recording, who are called `person1`, `person2`, ...

    Windows share the time between their centres, and neighbours that say the same are one segment
    of the signal `emotion`: a class, `unclear` or `withheld`. Its note tells the mean probability
    of a class, and why its quality is low. Continuous values are averaged over half a second and
    rounded to 0.1. Where nothing is known there is no segment.

    Args:
        timelines: Of one recording.
    """
    first = timelines[0]
    vocabulary: dict[str, list[str]] = {}
    if isinstance(first, Timeline):
        vocabulary[EMOTION] = [*first.classes, UNCLEAR, WITHHELD]
    segments = [segment for timeline in timelines for segment in _segments(timeline)]
    return Coding(segments, first.source.name, first.duration, vocabulary)


@singledispatch
def _segments(timeline: Prediction) -> list[Segment]:
    """The segments of one person."""
    raise TypeError(f"{type(timeline).__name__} has no segments")


@_segments.register
def _named(timeline: Timeline) -> list[Segment]:
    edges = window_edges(timeline.starts, timeline.ends).clip(0, timeline.duration)
    labels = [timeline.said(k) for k in range(len(timeline.starts))]
    return [
        Segment(
            f"person{timeline.person}",
            EMOTION,
            float(edges[first]),
            float(edges[end]),
            label,
            _note(timeline, first, end, label),
        )
        for first, end, label in runs(labels)
    ]


def _note(timeline: Timeline, first: int, end: int, label: str) -> str:
    reasons = [x for own in timeline.quality.reasons[first:end] for x in own]
    parts = list(dict.fromkeys(reasons))
    if label in timeline.classes:
        column = timeline.classes.index(label)
        parts.insert(0, f"p {timeline.probabilities[first:end, column].mean():.2f}")
    return "; ".join(parts)


@_segments.register
def _binned(timeline: ValuesTimeline) -> list[Segment]:
    count = max(1, int(np.ceil(timeline.duration / BIN)))
    place = np.minimum(timeline.times // BIN, count - 1).astype(int)
    rows = [timeline.values[place == k] for k in range(count)]
    means = [np.nanmean(r, 0) if (~np.isnan(r)).any(1).any() else None for r in rows]
    return [
        Segment(
            f"person{timeline.person}",
            name,
            first * BIN,
            min(end * BIN, timeline.duration),
            label,
        )
        for d, name in enumerate(timeline.dimensions)
        for first, end, label in runs([None if m is None else _rounded(m[d]) for m in means])
    ]


def _rounded(value: float) -> str:
    """To the nearest 0.1, without a negative zero."""
    return f"{round(float(value) / STEP) * STEP + 0.0:+.1f}"
