"""WebVTT: a cue per segment, the person as its voice, the signal as a class.

Source: W3C, WebVTT: The Web Video Text Tracks Format.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.files import write_text
from affuse.interchange.reading import as_coding, checked, text_of
from affuse.interchange.segments import EMOTION, Coding, Segment

_TIME = r"(?:(\d{2,}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
_CUE = re.compile(rf"{_TIME}[ \t]+-->[ \t]+{_TIME}(?:[ \t].*)?")
_VOICE = re.compile(r"<v(?:\.([^\s.<>&]+))?(?:\.[^\s<>&]+)?[ \t]+([^>]*)>")
_CLASS = re.compile(r"<c\.([^\s.<>&]+)>")
_TAG = re.compile(r"<[^>]*>")
_BLANK_LINES = re.compile(r"\s*\n\s*\n\s*")


def write_vtt(path: Path, coding: Coding) -> None:
    """Write cues in the order of time.

    Times are whole milliseconds. What has no length, segments without a label and all notes are
    left out, and empty lines and blanks at the ends of a label, which would end its cue.
    """
    cues = []
    for segment in sorted(coding.segments, key=lambda s: (s.start, s.end)):
        start, end = round(1000 * segment.start), round(1000 * segment.end)
        label = _BLANK_LINES.sub("\n", segment.label.replace("\r", "\n")).strip()
        if start < end and label:
            cues.append(f"\n{_clock(start)} --> {_clock(end)}\n{_spoken(segment, label)}\n")
    write_text(path, "WEBVTT\n" + "".join(cues))


def _spoken(segment: Segment, label: str) -> str:
    kind = re.sub(r"[\s.<>&]+", "-", segment.signal)
    text = html.escape(label, quote=False)
    if segment.person:
        name = html.escape(" ".join(segment.person.split()), quote=False)
        return f"<v.{kind} {name}>{text}"
    return text if segment.signal == EMOTION else f"<c.{kind}>{text}</c>"


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:03d}"


def read_vtt(path: Path) -> Coding:
    """Read cues; each voice of a cue is a segment. Styles, regions, notes and settings are skipped.

    Raises:
        BadInput: It is no WebVTT, or a cue has no times.
    """
    lines = text_of(path).split("\n")
    if not re.match(r"\ufeff?WEBVTT(?:[ \t]|$)", lines[0]):
        raise BadInput(path, "does not begin with WEBVTT")
    segments: list[Segment] = []
    number = 1
    while number < len(lines):
        if "-->" not in lines[number]:
            number += 1
            continue
        where, times = f"line {number + 1}", _CUE.fullmatch(lines[number].strip())
        if times is None:
            raise BadInput(path, f"{where}: {lines[number].strip()!r} are no times of a cue")
        payload = []
        while (number := number + 1) < len(lines) and lines[number].strip():
            payload.append(lines[number])
        start, end = _seconds(*times.groups()[:4]), _seconds(*times.groups()[4:])
        for person, signal, label in _voices("\n".join(payload)):
            if label:
                segment = Segment(person, signal, start, end, label)
                segments.append(checked(path, where, segment))
    return as_coding(segments)


def _seconds(hours: str | None, minutes: str, seconds: str, rest: str) -> float:
    whole = 3600 * int(hours or 0) + 60 * int(minutes) + int(seconds)
    return (1000 * whole + int(rest)) / 1000


def _voices(payload: str) -> list[tuple[str, str, str]]:
    """(person, signal, label) of the parts of a cue."""
    starts = list(_VOICE.finditer(payload))
    if not starts:
        kind = _CLASS.match(payload)
        return [("", kind[1] if kind else EMOTION, _plain(payload))]
    ends = [found.start() for found in starts[1:]] + [len(payload)]
    return [
        (html.unescape(tag[2]).strip(), tag[1] or EMOTION, _plain(payload[tag.end() : end]))
        for tag, end in zip(starts, ends, strict=True)
    ]


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text)).strip()
