"""Audacity's label tracks: a line `start, end, label` per segment.

Source: Audacity manual, "Importing and Exporting Labels".
"""

from __future__ import annotations

from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.files import write_text
from affuse.interchange.reading import as_coding, checked, text_of
from affuse.interchange.segments import EMOTION, Coding, Segment, tier_parts

#: Between the tier and the label, where a file has several tiers.
_COLON = ": "


def write_labels(path: Path, coding: Coding) -> None:
    """Write a label track, in the order of time and to the microsecond.

    Labels of a coding with several tiers begin with `signal@person: `; with one tier they stand
    alone, and nothing says whose they are. Tabs and line ends are blanks. Notes are left out.
    """
    several = len(coding.tiers) > 1
    lines = []
    for segment in sorted(coding.segments, key=lambda s: (s.start, s.end)):
        tier = f"{segment.tier}{_COLON}" if several else ""
        label = " ".join(segment.label.split())
        lines.append(f"{segment.start:.6f}\t{segment.end:.6f}\t{tier}{label}\n")
    write_text(path, "".join(lines))


def read_labels(path: Path) -> Coding:
    """Read a label track; lines about frequencies (`\\`) are skipped.

    Raises:
        BadInput: A line is none of a label.
    """
    segments = []
    for number, line in enumerate(text_of(path).split("\n"), 1):
        if not line.strip() or line.startswith("\\"):
            continue
        where, cells = f"line {number}", line.split("\t")
        try:
            start, end = (float(cell.replace(",", ".")) for cell in cells[:2])
        except ValueError as error:
            told = "is no label of Audacity (start, end, label between tabs)"
            raise BadInput(path, f"{where}: {told}") from error
        person, signal, label = _parts("\t".join(cells[2:]))
        segments.append(checked(path, where, Segment(person, signal, start, end, label)))
    return as_coding(segments)


def _parts(text: str) -> tuple[str, str, str]:
    """Person, signal and label of a text."""
    tier, colon, label = text.partition(_COLON)
    if not (colon and "@" in tier):
        return "", EMOTION, text.strip()
    return *tier_parts(tier.strip()), label.strip()
