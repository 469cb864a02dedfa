"""Praat's TextGrid: written as long text, read as long or short text.

Source: Praat manual, "TextGrid file formats".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.files import write_text
from affuse.interchange.reading import as_coding, checked, text_of
from affuse.interchange.segments import Coding, Segment, milliseconds, tier_parts

#: All that counts in a TextGrid: free-standing texts, flags and numbers; the rest is comment.
_TOKEN = re.compile(
    r'(?P<text>"(?:[^"]|"")*")|(?P<flag><\w+>)|(?P<comment>!.*)'
    r"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\S))|(?P<open>\")|\S+"
)

_HEAD = re.compile(r'\s*File type\s*=\s*"ooTextFile[^"]*"[^"]*"TextGrid"')


def write_textgrid(path: Path, coding: Coding) -> None:
    """Write a TextGrid in UTF-8 with an interval tier per tier; gaps are intervals without text.

    Times are whole milliseconds. What has no length, segments without a label and all notes are
    left out.

    Raises:
        ValueError: Segments of a tier overlap.
    """
    tiers = {name: milliseconds(tier) for name, tier in coding.tiers.items()}
    last = max([1, round(1000 * coding.duration), *(t[-1][1] for t in tiers.values() if t)])
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', ""]
    lines += ["xmin = 0", f"xmax = {_seconds(last)}", "tiers? <exists>", f"size = {len(tiers)}"]
    lines += ["item []:"]
    for number, (name, tier) in enumerate(tiers.items(), 1):
        intervals = list(_filled(tier, last))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {_seconds(last)}",
            f"        intervals: size = {len(intervals)}",
        ]
        for k, (start, end, label) in enumerate(intervals, 1):
            lines += [
                f"        intervals [{k}]:",
                f"            xmin = {_seconds(start)}",
                f"            xmax = {_seconds(end)}",
                f"            text = {_quoted(label)}",
            ]
    write_text(path, "\n".join(lines) + "\n")


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _filled(tier: list[tuple[int, int, Segment]], last: int) -> Iterator[tuple[int, int, str]]:
    """Intervals without gaps from the beginning to the end."""
    here = 0
    for start, end, segment in tier:
        if start > here:
            yield here, start, ""
        yield start, end, segment.label
        here = end
    if here < last:
        yield here, last, ""


def read_textgrid(path: Path) -> Coding:
    """Read a TextGrid, in UTF-8 or UTF-16; intervals without text are gaps.

    Points are segments without length. The name of a tier tells person and signal: `signal@person`.

    Raises:
        BadInput: It is no TextGrid, is binary or cut off, or holds other things than it counts.
    """
    text = text_of(path)
    if not _HEAD.match(text):
        raise BadInput(path, "is no TextGrid of Praat")
    tokens = _Tokens(path, text)
    tokens.text("the type of the file")
    tokens.text("the class of the object")
    tokens.number("the beginning")
    duration = tokens.number("the end")
    if tokens.flag() != "<exists>":
        return as_coding([], duration=duration)
    segments = []
    for number in range(1, tokens.count("tiers") + 1):
        kind = tokens.text(f"the class of tier {number}")
        if kind not in ("IntervalTier", "TextTier"):
            raise BadInput(
                path, f"tier {number} is of class {kind!r}, not an interval or text tier"
            )
        person, signal = tier_parts(tokens.text(f"the name of tier {number}"))
        tokens.number(f"the beginning of tier {number}")
        tokens.number(f"the end of tier {number}")
        for k in range(1, tokens.count(f"the intervals of tier {number}") + 1):
            where = f"tier {number}, interval {k}"
            start = tokens.number(where)
            end = tokens.number(where) if kind == "IntervalTier" else start
            label = tokens.text(where)
            if label or kind == "TextTier":
                segments.append(checked(path, where, Segment(person, signal, start, end, label)))
    if (more := next(tokens.left, None)) is not None:
        raise BadInput(path, f"holds more than it counts: {more[1]!r} after the last tier")
    return as_coding(segments, duration=duration)


class _Tokens:
    """The texts, flags and numbers of a TextGrid, one after the other."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self.left = iter(self._tokens(text))

    def _tokens(self, text: str) -> Iterator[tuple[str, str]]:
        for found in _TOKEN.finditer(text):
            if found.lastgroup == "open":
                line = text.count("\n", 0, found.start()) + 1
                raise BadInput(self._path, f"line {line}: a quote is never closed")
            before = text[found.start() - 1 : found.start()]
            if found.lastgroup not in (None, "comment") and not before.strip():
                yield str(found.lastgroup), found[0]

    def _next(self, kind: str, what: str) -> str:
        found = next(self.left, None)
        if found is None:
            raise BadInput(self._path, f"ends before {what}; it is cut off, or counts too many")
        if found[0] != kind:
            raise BadInput(self._path, f"{what}: {found[1]!r} is no {kind}; it counts otherwise")
        return found[1]

    def text(self, what: str) -> str:
        """The next text, without its quotes."""
        return self._next("text", what)[1:-1].replace('""', '"')

    def flag(self) -> str:
        """The next flag."""
        return self._next("flag", "the flag whether there are tiers")

    def number(self, what: str) -> float:
        """The next number."""
        return float(self._next("number", what))

    def count(self, what: str) -> int:
        """The next number, which counts something."""
        value = self.number(f"the number of {what}")
        if not (value >= 0 and value == int(value)):
            raise BadInput(self._path, f"the number of {what} is {value:g}")
        return int(value)
