"""BORIS: events to paste into an observation, and its project file.

Source: BORIS user guide, "Copy events, paste events"; project files of version 8.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

from affuse.errors import BadInput
from affuse.execution.files import write_text
from affuse.interchange.reading import as_coding, checked, text_of
from affuse.interchange.segments import EMOTION, Coding, Segment, merged, milliseconds

#: Place in the file, seconds, subject, behaviour, modifiers, comment.
Event = tuple[str, float, str, str, str, str]
#: What stands for a frame number that is not known.
_NO_FRAME = "NA"


def write_events(path: Path, coding: Coding) -> None:
    """Write state events, start and stop, as they are pasted into an observation of media.

    Each is `time, subject, behaviour, modifier, comment, frame` between tabs. Emotions are
    behaviours; of other signals the signal is the behaviour and the label its modifier. The note is
    the comment of the start. There is neither a header nor a line end at the end: BORIS takes both
    for events.

    Times are whole milliseconds. What has no length or no label is left out; neighbours that say
    the same are one, for BORIS drops an event that is there twice. Tabs and line ends are blanks.

    Raises:
        ValueError: Segments of a tier overlap.
    """
    rows = []
    for tier in coding.tiers.values():
        for start, end, segment in milliseconds(merged(s for s in tier if s.label.strip())):
            named = segment.signal == EMOTION
            facts = [segment.person, segment.label if named else segment.signal]
            facts.append("" if named else segment.label)
            rows.append((start, [*facts, segment.note]))
            rows.append((end, [*facts, ""]))
    rows.sort(key=lambda row: row[0])
    lines = (
        "\t".join([f"{time / 1000:.3f}", *(" ".join(text.split()) for text in facts), _NO_FRAME])
        for time, facts in rows
    )
    write_text(path, "\n".join(lines))


def read_events(path: Path) -> Coding:
    """Read events as they are copied from, or pasted into, an observation.

    Of every subject and behaviour each second event is a stop.

    Raises:
        BadInput: A line is no event, or a behaviour begins and does not end.
    """
    events: list[Event] = []
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip():
            continue
        where, cells = f"line {number}", line.split("\t")
        if len(cells) not in (5, 6):
            told = "is no event of BORIS (time, subject, behaviour, modifier, comment between tabs)"
            raise BadInput(path, f"{where}: {told}")
        subject, behaviour, modifier, comment = map(str.strip, cells[1:5])
        time = _time(path, where, cells[0])
        events.append((where, time, subject, behaviour, modifier, comment))
    return as_coding(_paired(path, events))


def read_project(path: Path, media: str = "") -> Coding:
    """Read one observation of a project.

    Args:
        path: The file `.boris`.
        media: File name of the recording, of projects with several observations; its suffix does
            not matter.

    Raises:
        BadInput: It is no project, does not tell which observation is meant, or that one is wrong.
    """
    observations, behaviours = _project(path)
    stem = PurePath(media).stem
    of_it = {
        name: own
        for name, own in observations.items()
        if stem in (PurePath(file).stem for file in _files(own))
    }
    wanted = of_it or observations
    if len(wanted) != 1:
        names = ", ".join(map(repr, wanted)) or "no observation"
        of = f" of {media}" if media else ""
        raise BadInput(path, f"holds {names}{of}; there has to be one for each recording")
    ((name, observation),) = wanted.items()
    files = _files(observation)
    if len(files) > 1:
        raise BadInput(path, f"observation {name!r} is of several recordings: {', '.join(files)}")
    events: list[Event] = []
    for number, row in enumerate(observation.get("events", ()), 1):
        where = f"observation {name!r}, event {number}"
        if not isinstance(row, list) or len(row) < 3:
            raise BadInput(path, f"{where}: is no list of a time, a subject and a behaviour")
        subject, behaviour, modifier, comment = [*map(str, row[1:5]), "", ""][:4]
        time = _time(path, where, row[0])
        events.append((where, time, subject, behaviour, modifier, comment))
    points = {code for code, kind in behaviours.items() if kind.lower().startswith("point")}
    return as_coding(_paired(path, events, points), files[0] if files else "")


def recordings_of(path: Path) -> list[str]:
    """File names of the recordings that a project has observations of.

    Raises:
        BadInput: It is no project.
    """
    return list(dict.fromkeys(file for own in _project(path)[0].values() for file in _files(own)))


def _project(path: Path) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Observations by their names, and behaviour -> its type."""
    try:
        project = json.loads(text_of(path))
        observations = {str(k): dict(v) for k, v in project["observations"].items()}
        behaviours = {b["code"]: str(b["type"]) for b in project["behaviors_conf"].values()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(path, "is no project of BORIS") from error
    return observations, behaviours


def _files(observation: dict[str, Any]) -> list[str]:
    """Names of the recordings of the first player."""
    players = observation.get("file")
    paths = players.get("1", []) if isinstance(players, dict) else []
    return [str(path).replace("\\", "/").rpartition("/")[2] for path in paths]


def _time(path: Path, where: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise BadInput(path, f"{where}: {value!r} is no time in seconds") from error


def _paired(path: Path, events: list[Event], points: Iterable[str] = ()) -> list[Segment]:
    """Segments from starts and stops; points have no length."""
    groups: dict[tuple[str, str, str], list[Event]] = defaultdict(list)
    for event in events:
        _, _, subject, behaviour, modifier, _ = event
        groups[subject, behaviour, modifier].append(event)
    segments = []
    for (subject, behaviour, modifier), own in groups.items():
        modifier = "" if modifier == "None" else modifier
        signal, label = (behaviour, modifier) if modifier else (EMOTION, behaviour)
        own.sort(key=lambda event: event[1])
        step = 1 if behaviour in points else 2
        if len(own) % step:
            where, time, *_ = own[-1]
            of = f" of {subject}" if subject else ""
            raise BadInput(path, f"{where}: {behaviour!r}{of} begins at {time:g} s and never ends")
        for first, last in zip(own[::step], own[step - 1 :: step], strict=True):
            found = Segment(subject, signal.replace("@", " "), first[1], last[1], label, first[5])
            segments.append(checked(path, first[0], found))
    return sorted(segments, key=lambda s: (s.start, s.end))
