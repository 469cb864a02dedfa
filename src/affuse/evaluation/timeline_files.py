"""Timelines as `affuse predict` wrote them, read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from affuse.errors import BadInput
from affuse.execution.tables import Sheet, read_header, rows_of
from affuse.interchange.cells import runs, window_edges
from affuse.interchange.reading import text_of
from affuse.interchange.segments import EMOTION, Coding, Segment
from affuse.tasks.naming import WITHHELD, named

#: Columns of a timeline's CSV that are no class and no dimension, and how others end.
_OTHER = {"start", "end", "emotion", "not_ruled_out", "frame", "time", "low_quality"}
_ENDS = ("_present", "_experimental", "_baseline", "_low", "_high")
_QUALITY = ("face_", "sound_")
TIMELINES = (".json", ".csv")


@dataclass(frozen=True)
class WrittenTimeline:
    """What a model said about one person of a recording.

    Args:
        path: The file.
        recording: Name of the recording without its suffix.
        person: `person1`, ...; empty where the file does not say.
        starts: (N,) seconds at which each row begins to be spoken about.
        ends: (N,) seconds.
        labels: What stands out in each row, `unclear`, `withheld`, or None where nothing is known;
            None of continuous values.
        values: Class or dimension -> (N,) float64; NaN where not known.
    """

    path: Path
    recording: str
    person: str
    starts: np.ndarray
    ends: np.ndarray
    labels: Sequence[str | None] | None
    values: dict[str, np.ndarray]

    @property
    def centres(self) -> np.ndarray:
        """(N,) seconds."""
        return (self.starts + self.ends) / 2

    def coding(self) -> Coding:
        """The segments: emotions as `affuse.inference.coding` makes them, values row by row."""
        edges = window_edges(self.starts, self.ends)
        columns: dict[str, Sequence[str | None]] = (
            {EMOTION: self.labels}
            if self.labels is not None
            else {
                name: [None if np.isnan(x) else repr(float(x)) for x in column]
                for name, column in self.values.items()
            }
        )
        segments = [
            Segment(self.person, signal, float(edges[first]), float(edges[end]), label)
            for signal, rows in columns.items()
            for first, end, label in runs(rows)
        ]
        return Coding(segments, duration=float(edges[-1]) if len(edges) else 0.0)


def is_timeline(path: Path) -> bool:
    """Whether a file may be a timeline by its name."""
    return path.suffix.lower() in TIMELINES


def read_timeline(path: Path) -> WrittenTimeline:
    """Read the `.json` or `.csv` of a timeline.

    Raises:
        BadInput: It is none.
    """
    return _from_json(path) if path.suffix.lower() == ".json" else _from_csv(path)


def _from_json(path: Path) -> WrittenTimeline:
    wrong = BadInput(path, "is no timeline of affuse predict")
    try:
        facts = json.loads(text_of(path))
        recording = PurePosixPath(facts["source"]).stem
        person = f"person{int(facts['person']['number'])}"
        if "windows" in facts:
            starts, ends, labels, values = _windows(facts["windows"])
        else:
            labels = None
            values = {str(n): _numbers(x) for n, x in facts["values"].items()}
            starts, ends = _cells(_numbers(facts["times"]), float(facts["duration"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise wrong from error
    lengths = {len(starts), len(ends), *map(len, values.values())}
    if lengths != {len(starts)} or not len(starts):
        raise wrong
    return WrittenTimeline(path, recording, person, starts, ends, labels, values)


def _windows(
    windows: Sequence[dict[str, Any]],
) -> tuple[np.ndarray, np.ndarray, list[str | None], dict[str, np.ndarray]]:
    """Starts, ends, labels and probabilities."""
    known: dict[str, Any] = next((w["probabilities"] for w in windows if w["probabilities"]), {})
    classes = [str(name) for name in known]
    rows = [[(w["probabilities"] or {}).get(name) for name in classes] for w in windows]
    shares = _numbers(rows).reshape(len(windows), len(classes))
    labels: list[str | None] = []
    for window, row in zip(windows, shares, strict=True):
        if window["probabilities"]:
            labels.append(named(classes, row))
        else:
            labels.append(WITHHELD if window.get("withheld") else None)
    starts, ends = (_numbers([w[end] for w in windows]) for end in ("start", "end"))
    return starts, ends, labels, dict(zip(classes, shares.T, strict=True))


def _numbers(values: Any) -> np.ndarray:
    """Float64; NaN for null."""
    return np.asarray(values, object).astype(np.float64)


def _cells(times: np.ndarray, duration: float) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of what each moment stands for: until the next one."""
    return times, np.append(times[1:], max(duration, times[-1]))


def _from_csv(path: Path) -> WrittenTimeline:
    """The name of the file stands for that of the recording, and the person is not known."""
    sheet = Sheet(path)
    lines = iter(sheet)
    _, header = read_header(sheet, lines, ())
    windows = {"start", "end", "emotion"} <= {*header}
    if not windows and "time" not in header:
        raise BadInput(path, "is no timeline of affuse predict (start, end, emotion; or time)")
    names = [
        name
        for name in header
        if name not in _OTHER and not name.startswith(_QUALITY) and not name.endswith(_ENDS)
    ]
    keys = ["start", "end"] if windows else ["time"]
    rows = []
    labels: list[str | None] = []
    for line, row in rows_of(sheet, iter(sheet), header):
        numbers = [sheet.finite(row[name]) for name in (*keys, *names)]
        if np.isnan(numbers[: len(keys)]).any():
            raise BadInput(path, f"line {line}: has no time")
        rows.append(numbers)
        labels.append(row.get("emotion") or None)
    if not rows or not names:
        raise BadInput(path, "is no timeline of affuse predict: it holds no values")
    table = np.array(rows)
    starts, ends = (table[:, 0], table[:, 1]) if windows else _cells(table[:, 0], 0.0)
    columns = dict(zip(names, table[:, len(keys) :].T, strict=True))
    return WrittenTimeline(path, path.stem, "", starts, ends, labels if windows else None, columns)
