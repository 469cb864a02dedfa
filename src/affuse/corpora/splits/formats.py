"""The lines of one split file, in the formats in which they circulate."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affuse.corpora.cremad import CLASSES
from affuse.corpora.folder import PICTURES, SOUNDS, VIDEOS
from affuse.corpora.listing import ROLE_WORDS
from affuse.corpora.msp_improv import EMOTIONS
from affuse.corpora.protocols.keys import KEYS
from affuse.errors import BadInput
from affuse.execution.tables import Sheet, fitted
from affuse.execution.text_files import read_lines

#: Format -> what it is, in a few words.
FORMATS = {
    "jsonl": "a JSON object per line (EmoBox)",
    "annotations": "video;sound;label;subset (Chumachenko et al. 2022, AVT-CA)",
    "table": "a table with the set in its last column (AuxFormer)",
    "list": "paths and a label per line (HiCMAE)",
}
_FILES = ("wav", "path", "audio", "audio_path", "video", "video_path", "key")
_LABELS = ("emo", "emotion", "label")
_SPEAKERS = ("spk", "speaker", "speaker_id", "spkrid")
_LENGTHS = ("dur", "duration", "length")
_SUFFIXES = {".npy", *SOUNDS, *PICTURES, *VIDEOS}
_ANNOTATION = re.compile(r"[^;]+\.(npy|avi|mp4);[^;]+\.wav;[^;]*;[^;]*", re.IGNORECASE)
_CLASSES = {*CLASSES, *EMOTIONS["secondary"]}


@dataclass(frozen=True)
class Row:
    """What a line says of a clip.

    Args:
        line: Its number.
        names: Names or paths of files of the clip.
        label: The file's own word or number; empty where there is none.
        role: One of `ROLES`; empty where the name of the file has to tell it.
        speaker: As the file names them; empty where it does not.
        seconds: Length of the clip, or None.
    """

    line: int
    names: tuple[str, ...]
    label: str = ""
    role: str = ""
    speaker: str = ""
    seconds: float | None = None


def format_of(path: Path) -> str | None:
    """The format of a file by its content, one of `FORMATS`, or None where it is none of them.

    Raises:
        BadInput: The file cannot be read or is no text.
    """
    lines = [text for _, text in read_lines(path)[:20]]
    if path.suffix.lower() == ".jsonl" or (lines and _is_object(lines[0])):
        return "jsonl"
    if not lines or lines[0].startswith("#"):
        return None
    if _ANNOTATION.fullmatch(lines[0]):
        return "annotations"
    rows = [cells for _, cells in zip(range(20), (c for _, c in Sheet(path)), strict=False)]
    rows = [cells for cells in rows if any(cells)]
    if rows[0][0].casefold() in KEYS:  # a protocol of affuse
        return None
    if len(rows[0]) > 1 and any(cells[-1].lower() in ROLE_WORDS for cells in rows[1:]):
        return "table"
    return "list" if any(map(_is_file, (c for x in lines[:2] for c in _cells(x)))) else None


def read_rows(path: Path, kind: str) -> list[Row]:
    """The lines of a file, empty ones left out.

    Args:
        path: The file.
        kind: Its format, one of `FORMATS`.

    Raises:
        BadInput: A line is not of the format; it is named.
    """
    readers = {"jsonl": _objects, "annotations": _annotations, "table": _table, "list": _list}
    rows = list(readers[kind](path))
    if not rows:
        raise BadInput(path, "lists no clip")
    return rows


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _objects(path: Path) -> Iterator[Row]:
    for line, text in read_lines(path):
        if not _is_object(text):
            raise BadInput(path, f"line {line}: is no JSON object")
        said: dict[str, Any] = {key.lower(): value for key, value in json.loads(text).items()}
        name, length = _first(said, _FILES), _first(said, _LENGTHS)
        if not name:
            raise BadInput(path, f"line {line}: names no file (none of {', '.join(_FILES)})")
        try:
            seconds = float(length) if length else None
        except ValueError:
            seconds = math.nan
        if seconds is not None and not 0 <= seconds < math.inf:
            raise BadInput(path, f"line {line}: {length!r} is no length in seconds")
        told = (_first(said, keys) for keys in (_LABELS, _SPEAKERS))
        label, speaker = told
        yield Row(line, (name,), label, speaker=speaker, seconds=seconds)


def _first(said: dict[str, Any], keys: Sequence[str]) -> str:
    """The first of some keys that says something, as text."""
    return next((str(said[k]) for k in keys if said.get(k) not in (None, "")), "")


def _annotations(path: Path) -> Iterator[Row]:
    for line, text in read_lines(path):
        cells = [cell.strip() for cell in text.split(";")]
        if len(cells) != 4:
            raise BadInput(path, f"line {line}: {len(cells)} cells, not video;sound;label;subset")
        yield Row(line, (cells[0], cells[1]), cells[2], _role(path, line, cells[3]))


def _table(path: Path) -> Iterator[Row]:
    sheet = Sheet(path, _CLASSES)
    rows = ((line, cells) for line, cells in sheet if any(cells))
    _, header = next(rows)
    columns = [name.casefold() for name in header]
    speaker = next((k for k, name in enumerate(columns) if name in _SPEAKERS), None)
    classes = [k for k, name in enumerate(columns) if name in _CLASSES]
    labels = next((k for k, name in enumerate(columns) if name in _LABELS), None)
    for line, row in rows:
        cells = fitted(sheet, line, row, len(header))
        label = cells[labels] if labels is not None else ""
        if classes:  # the highest share, of equal ones the first
            label = columns[max(classes, key=lambda k: (sheet.finite(cells[k]), -k))]
        who = "" if speaker is None else cells[speaker]
        yield Row(line, (cells[0],), label, _role(path, line, cells[-1]), who)


def _role(path: Path, line: int, word: str) -> str:
    if word.lower() not in ROLE_WORDS:
        raise BadInput(path, f"line {line}: {word!r} is none of the sets train, development, test")
    return ROLE_WORDS[word.lower()]


def _list(path: Path) -> Iterator[Row]:
    for number, (line, text) in enumerate(read_lines(path)):
        cells = _cells(text)
        files = tuple(cell for cell in cells if _is_file(cell))
        if not files and number == 0:
            continue  # a header
        if not files:
            raise BadInput(path, f"line {line}: {text[:40]!r} names no file")
        yield Row(line, files, "" if _is_file(cells[-1]) else cells[-1])


def _cells(text: str) -> list[str]:
    """Cells by the first of tab, comma, semicolon and blank that occurs."""
    separator = next((mark for mark in "\t,;" if mark in text), None)
    return [cell.strip().strip("\"'") for cell in text.split(separator)]


def _is_file(cell: str) -> bool:
    return "/" in cell or "\\" in cell or Path(cell).suffix.lower() in _SUFFIXES
