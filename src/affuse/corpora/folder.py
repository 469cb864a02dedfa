"""Anybody's own recordings: a folder with a CSV that lists them."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import BadInput

TABLE = "clips.csv"
LICENCE = "not stated (a user's own recordings)"
_COLUMNS = {"path", "label", "id", "speaker", "start", "end"}
_SOUND_ONLY = {".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aac", ".opus"}


def read(root: Path) -> Corpus:
    """The clips that `clips.csv` lists.

    Args:
        root: A folder with a file `clips.csv`, or such a CSV itself. Columns: `path` (relative to
            the CSV) and `label`; optional `id`, `speaker`, `start` and `end` in seconds.

    Returns:
        Clips in the order of their ids; classes in alphabetical order. Sound files give clips
        without pictures.

    Raises:
        BadInput: The CSV is absent, lacks a column, or a row is wrong (named with its line).
    """
    table = Path(root) / TABLE if Path(root).is_dir() else Path(root)
    if not table.is_file():
        raise BadInput(table, "no such file; a folder corpus needs a CSV with columns path,label")
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        header = set(reader.fieldnames or ())
        if missing := {"path", "label"} - header:
            raise BadInput(table, f"line 1: no column {', '.join(sorted(missing))}")
        if unknown := header - _COLUMNS:
            raise BadInput(
                table,
                f"line 1: unknown column {', '.join(sorted(unknown))} "
                f"(known: {', '.join(sorted(_COLUMNS))})",
            )
        clips = [_clip(row, table, reader.line_num) for row in reader]
    if not clips:
        raise BadInput(table, "lists no clips")
    seen: set[str] = set()
    for clip in clips:
        if clip.id in seen:
            raise BadInput(table, f"clip id {clip.id!r} occurs twice; add a column id")
        seen.add(clip.id)
    classes = tuple(sorted({clip.label for clip in clips if clip.label is not None}))
    return Corpus("folder", table.parent, sorted(clips, key=lambda c: c.id), classes, LICENCE)


def _clip(row: dict[str, str], table: Path, line: int) -> Clip:
    if not row["path"] or not row["label"]:
        raise BadInput(table, f"line {line}: path and label must not be empty")
    path = table.parent / row["path"]
    if not path.is_file():
        raise BadInput(table, f"line {line}: no such file: {row['path']}")

    def seconds(column: str) -> float | None:
        text = row.get(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= 0):
            raise BadInput(table, f"line {line}: {column} is not a time in seconds: {text!r}")
        return value

    start, end = seconds("start") or 0.0, seconds("end")
    if end is not None and end <= start:
        raise BadInput(table, f"line {line}: end {end} is not after start {start}")
    spot = "" if not start and end is None else f"@{start:g}"
    return Clip(
        id=row.get("id") or _name(Path(row["path"])) + spot,
        video=None if path.suffix.lower() in _SOUND_ONLY else path,
        audio=path,
        start=start,
        end=end,
        speaker=row.get("speaker") or None,
        label=row["label"],
    )


def _name(path: Path) -> str:
    """A path without suffix; of an absolute path the file's name alone."""
    return path.stem if path.is_absolute() else path.with_suffix("").as_posix()
