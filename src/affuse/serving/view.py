"""What the web page shows of a recording, as JSON: curves, key frames, quality, segments."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import singledispatch
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from affuse.execution.files import write_text
from affuse.inference.circumplex import WORDS, place
from affuse.inference.coding import coding_of
from affuse.inference.colours import DIMENSION_COLOURS, colours_of
from affuse.inference.plot import presence_spans
from affuse.inference.quality_marks import quality_rows, quality_sentence, quality_words
from affuse.inference.remarks import remarks
from affuse.media.data_uri import jpeg_uri
from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import stretches
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

#: Names of the files in the folder of a job: what is drawn, and the segments that are proposed.
VIEW, PROPOSED = "view.json", "proposed.json"
#: Rows of a curve beyond which a long recording is thinned out; an hour has ten per second.
_ROWS = 36_000


def write_view(timelines: Sequence[Prediction], folder: Path) -> None:
    """Write what the page shows of the people of a recording, and the segments to be corrected.

    Args:
        timelines: Of one recording, the main person's first.
        folder: Of the job; the files are `VIEW` and `PROPOSED`.
    """
    first, coding = timelines[0], coding_of(timelines)
    vocabulary = {signal: list(labels) for signal, labels in coding.vocabulary.items()}
    people = [_person(timeline) for timeline in timelines]
    shown = {
        "duration": round(first.duration, 4),
        "tracks": asdict(first.tracks),
        "model": first.model,
        "people": people,
        "vocabulary": vocabulary,
    }
    values = [name for one in people if one["kind"] == "values" for name in one["names"]]
    proposed = {
        "duration": first.duration,
        "people": [one["name"] for one in people],
        "signals": [*vocabulary, *dict.fromkeys(values)],
        "vocabulary": vocabulary,
        "segments": [asdict(segment) for segment in coding.segments],
    }
    for name, facts in ((PROPOSED, proposed), (VIEW, shown)):
        write_text(folder / name, json.dumps(facts, separators=(",", ":"), allow_nan=False))


def _person(timeline: Prediction) -> dict[str, Any]:
    """What is shown of one person; times in seconds."""
    return {
        "name": f"person{timeline.person}",
        "headline": timeline.headline,
        "remarks": remarks(timeline),
        "frames": [
            {"time": round(float(frame.time), 3), "image": jpeg_uri(frame.picture)}
            for frame in timeline.key_frames
        ],
        "presence": [
            {
                "name": {"audio": "sound", "video": "face"}.get(name, name),
                "summary": presence.summary,
                "spans": _spans(presence_spans(presence, timeline.duration)),
            }
            for name, presence in timeline.presence.items()
        ],
        "medians": quality_sentence(timeline),
        "measures": quality_words(timeline),
        **_facts(timeline),
    }


@singledispatch
def _facts(timeline: Prediction) -> dict[str, Any]:
    """The curves of a kind of prediction."""
    raise TypeError(f"{type(timeline).__name__} cannot be shown")


@_facts.register
def _classes(timeline: Timeline) -> dict[str, Any]:
    inner = (timeline.centres[1:] + timeline.centres[:-1]) / 2
    edges = np.concatenate([[0.0], inner, [timeline.duration]])
    windows = range(len(timeline.starts))
    return {
        "kind": "classes",
        "range": [0, 1],
        "names": timeline.classes,
        "colours": colours_of(timeline.classes),
        "times": _numbers(timeline.centres),
        "rows": _rows(timeline.probabilities),
        "said": [timeline.said(k) for k in windows],
        "sets": None if timeline.calibration is None else [*map(timeline.not_ruled_out, windows)],
        "edges": [[round(a, 3), round(b, 3), k] for a, b, k in timeline.edges],
        "gaps": _spans([(edges[i], edges[j]) for i, j in stretches(~timeline.known)]),
        "low": _reasons(timeline.quality.reasons, edges),
        "quality": quality_rows(timeline),
        "overall": _rows(timeline.overall[None])[0],
        "ratings": timeline.mean_ratings,
    }


@_facts.register
def _values(timeline: ValuesTimeline) -> dict[str, Any]:
    rows = np.arange(0, len(timeline.times), max(1, -(-len(timeline.times) // _ROWS)))
    edges = np.append(timeline.times, max(timeline.duration, timeline.times[-1]))
    edges[0] = 0.0
    quality = quality_rows(timeline)
    facts = (np.nanmean, np.nanmin, np.nanmax)
    return {
        "kind": "values",
        "range": [-1, 1],
        "names": timeline.dimensions,
        "colours": [DIMENSION_COLOURS[k % 4] for k in range(len(timeline.dimensions))],
        "times": _numbers(timeline.times[rows]),
        "rows": _rows(timeline.values[rows]),
        "bands": {
            name: [_rows(timeline.bands[f"{name}{end}"][rows]) for end in ("_low", "_high")]
            for name in timeline.dimensions
            if f"{name}_low" in timeline.bands
        },
        "withheld": np.flatnonzero([timeline.is_withheld(int(k)) for k in rows]).tolist(),
        "gaps": _spans(timeline.gaps),
        "low": _reasons(timeline.quality.reasons, edges),
        "quality": [quality[k] for k in rows] if quality else [],
        "facts": [
            [round(float(of(column)), 3) for of in facts]
            for column in timeline.values.T
            if timeline.known.any()
        ],
        "words": [[word, *(round(x, 3) for x in place(word))] for word in WORDS],
    }


def _reasons(reasons: Sequence[Sequence[str]], edges: np.ndarray) -> list[dict[str, Any]]:
    """Stretches with the same reasons for low quality.

    Args:
        reasons: Of each of W rows.
        edges: (W + 1,) seconds between which each row counts.
    """
    found, row = [], 0
    for why, same in groupby(reasons):
        first, row = row, row + len(list(same))
        if why:
            start, end = _numbers(edges[[first, row]])
            found.append({"start": start, "end": end, "why": "; ".join(why)})
    return found


def _spans(spans: Sequence[tuple[float, float]]) -> list[list[float]]:
    return [[round(float(a), 3), round(float(b), 3)] for a, b in spans]


def _numbers(values: np.ndarray) -> list[float]:
    return [round(float(x), 3) for x in values]


def _rows(values: np.ndarray) -> list[Any]:
    """Rows as lists, numbers as they are; None where something of a row is not known."""
    return [
        None if np.isnan(row).any() else np.round(row.astype(float), 4).tolist() for row in values
    ]
