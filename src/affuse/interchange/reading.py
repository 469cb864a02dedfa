"""What all readers of annotation files check."""

from __future__ import annotations

import math
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.text_files import open_text, undecodable
from affuse.interchange.segments import Coding, Segment

#: Seconds beyond which no recording goes.
_LONGEST = 1e7


def text_of(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark; lines end in LF.

    Raises:
        BadInput: It cannot be read, or is no text.
    """
    encoding, _ = open_text(path)
    try:
        text = path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding) from error
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    if "\0" in text:
        raise BadInput(path, "holds a NUL character; is it text?")
    return text


def checked(path: Path, where: str, segment: Segment) -> Segment:
    """The segment, if its times can be those of a recording.

    Args:
        path: The file.
        where: The place in it, such as `line 3`.
        segment: The segment.

    Raises:
        BadInput: A time is none, or the segment ends before it begins.
    """
    for name, time in (("start", segment.start), ("end", segment.end)):
        if not (math.isfinite(time) and 0 <= time <= _LONGEST):
            raise BadInput(path, f"{where}: {name} {time:g} is no time of a recording in seconds")
    if segment.end < segment.start:
        raise BadInput(path, f"{where}: end {segment.end:g} is before its start {segment.start:g}")
    return segment


def as_coding(
    segments: list[Segment],
    media: str = "",
    duration: float = 0.0,
    vocabulary: dict[str, list[str]] | None = None,
) -> Coding:
    """A coding that lasts at least as long as its segments."""
    end = max([duration, *(segment.end for segment in segments)])
    return Coding(segments, media, end, vocabulary or {})
