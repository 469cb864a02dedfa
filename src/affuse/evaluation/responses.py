"""What timelines say around events, by condition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from affuse.errors import AffuseError, BadInput
from affuse.evaluation.timeline_files import WrittenTimeline, read_timeline
from affuse.execution.tables import Sheet, rows_of
from affuse.inference.inputs import EXPLAINED
from affuse.metrics.jackknife import group_sums, left_out, t_interval

_OPTIONAL = ("condition", "recording", "person", "speaker")
#: Names of all events where none is given.
_ALL = "all"


@dataclass(frozen=True)
class Event:
    """Something that happens in a recording.

    Args:
        time: Seconds.
        condition: Which kind of event it is.
        recording: Name of the recording without its suffix; empty for the only one.
        person: Whose timeline counts, such as `person1`; empty for everybody's.
        speaker: Who that is, whatever the recording; empty where not known.
    """

    time: float
    condition: str
    recording: str
    person: str
    speaker: str


@dataclass(frozen=True)
class Response:
    """What one timeline says around one event.

    Args:
        event: The event.
        timeline: The timeline.
        group: The speaker, or the recording, whose responses are not independent of each other.
        values: Signal -> (O,) at the offsets; NaN where not known.
    """

    event: Event
    timeline: WrittenTimeline
    group: str
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class Mean:
    """The mean of the responses to a condition.

    Args:
        condition: The condition.
        signal: Class or dimension.
        responses: How many.
        groups: Of how many people or recordings.
        curve: (O, 3) mean, lower and upper bound at each offset, less the mean before each event
            where that was asked for; NaN where not known.
        before: Mean of the time before the event.
        after: Mean of the time from the event on.
        change: `after` less `before`, and its bounds.
    """

    condition: str
    signal: str
    responses: int
    groups: int
    curve: np.ndarray
    before: float
    after: float
    change: tuple[float, float, float]


def read_events(path: Path) -> list[Event]:
    """Read a table of events: `time` in seconds, and optionally `condition`, `recording` (with or
    without its suffix), `person` (number, or `person1`) and `speaker`. Other columns are not read.

    Raises:
        BadInput: It is no such table, or a time is none.
    """
    sheet = Sheet(path, ("time", *_OPTIONAL))
    events = []
    names: list[str] = []
    for line, row in rows_of(sheet, iter(sheet), ["time"], _OPTIONAL):
        names = [*row]
        time = sheet.finite(row["time"])
        if np.isnan(time):
            raise BadInput(path, f"line {line}: time {row['time']!r} is no number of seconds")
        person = row.get("person", "")
        events.append(
            Event(
                time,
                row.get("condition") or _ALL,
                PurePosixPath(row.get("recording", "")).stem,
                f"person{person}" if person.isdecimal() else person,
                row.get("speaker", ""),
            )
        )
    if not events:
        raise BadInput(path, f"lists no events{' below its header' if names else ''}")
    return events


def offsets_of(before: float, after: float, step: float) -> np.ndarray:
    """(O,) seconds from the event, in steps to both sides of it; the event itself is one."""
    first, last = (int(length / step + 1e-9) for length in (before, after))
    return np.arange(-first, last + 1) * step


def responses(
    path: Path, timelines: Sequence[Path], offsets: np.ndarray
) -> tuple[list[Response], list[str]]:
    """What timelines say around the events of a table.

    Args:
        path: The table (`read_events`).
        timelines: Files of timelines, `.json` or `.csv`; explanations among them are skipped.
        offsets: (O,) seconds from the event.

    Returns:
        The responses, and a line per event that has none.

    Raises:
        BadInput: A file cannot be read, or an event does not say of which recording it is.
    """
    events = read_events(path)
    by_name: dict[str, list[WrittenTimeline]] = defaultdict(list)
    for timeline in map(read_timeline, (p for p in timelines if not p.stem.endswith(EXPLAINED))):
        by_name[timeline.recording].append(timeline)
    found = []
    without = []
    for event in events:
        if not event.recording and len(by_name) > 1:
            told = "has no column recording, but there are timelines of several recordings"
            raise BadInput(path, told)
        name = event.recording or next(iter(by_name), "")
        own = [t for t in by_name.get(name, ()) if event.person in ("", t.person)]
        there = [
            Response(event, t, event.speaker or name, values)
            for t in own
            if (values := _around(t, event.time, offsets))
        ]
        if not there:
            why = "nothing is known around it" if own else "no timeline of it was named"
            of = f" of {event.person}" if event.person else ""
            without.append(f"event at {event.time:g} s in {name or 'the recording'}{of}: {why}")
        found += there
    if not found:
        raise AffuseError(f"no event has a response; {'; '.join(without[:3])}")
    return found, without


def _around(timeline: WrittenTimeline, time: float, offsets: np.ndarray) -> dict[str, np.ndarray]:
    """Signal -> (O,); nothing where it is not known both before and after."""
    found = {}
    for name, column in timeline.values.items():
        values = _at(timeline, column, time + offsets)
        before, after = values[offsets < 0], values[offsets >= 0]
        if np.isnan(after).all() or (len(before) and np.isnan(before).all()):
            return {}
        found[name] = values
    return found


def _at(timeline: WrittenTimeline, column: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(O,) values on lines between the centres of rows; NaN outside, and next to unknown rows."""
    centres = timeline.centres
    values = np.interp(times, centres, column)
    nearest = np.abs(times[:, None] - centres).argmin(1)
    known = ~np.isnan(column)
    values = np.where(np.isnan(values), column[nearest], values)
    inside = (times >= timeline.starts[0]) & (times < timeline.ends[-1])
    return np.where(inside & known[nearest], values, np.nan)


def means(found: Sequence[Response], offsets: np.ndarray, correct: bool) -> list[Mean]:
    """The mean of each condition and signal, with 95 % intervals over people or recordings.

    Args:
        found: The responses.
        offsets: (O,) seconds from the event.
        correct: Whether the mean before each event is taken from its curve.
    """
    conditions = sorted({response.event.condition for response in found})
    signals = dict.fromkeys(name for response in found for name in response.values)
    return [
        _mean(condition, signal, own, offsets, correct)
        for condition in conditions
        for signal in signals
        if (own := [r for r in found if r.event.condition == condition and signal in r.values])
    ]


def _mean(
    condition: str, signal: str, own: Sequence[Response], offsets: np.ndarray, correct: bool
) -> Mean:
    table = np.array([response.values[signal] for response in own])
    before = row_means(table[:, offsets < 0])
    after = row_means(table[:, offsets >= 0])
    curves = table - before[:, None] if correct else table
    columns = np.column_stack([curves, before, after, after - before])
    groups = np.array([response.group for response in own])
    known = ~np.isnan(columns)
    sums = np.concatenate([np.where(known, columns, 0.0), known], 1)
    by_group = group_sums(sums, groups)
    width = columns.shape[1]

    def mean(total: np.ndarray) -> dict[str, np.ndarray]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return {"mean": total[..., :width] / total[..., width:]}

    values, without = mean(by_group.sum(0))["mean"], left_out(mean, by_group)["mean"]
    bounds = [t_interval(float(values[k]), without[:, k], "difference") for k in range(len(values))]
    curve = np.column_stack([values, np.array(bounds)])
    return Mean(
        condition,
        signal,
        len(own),
        len(by_group),
        curve[:-3],
        float(values[-3]),
        float(values[-2]),
        (float(curve[-1, 0]), float(curve[-1, 1]), float(curve[-1, 2])),
    )


def row_means(table: np.ndarray) -> np.ndarray:
    """(N,) means of what is known in each row; NaN without any."""
    known = ~np.isnan(table)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(known, table, 0).sum(1) / known.sum(1))
