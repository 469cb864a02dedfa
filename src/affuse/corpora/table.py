"""The table of clips as a CSV file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Clip
from affuse.corpora.spelling import one_spelling
from affuse.errors import BadInput
from affuse.execution.files import csv_text, write_csv

#: A table is of one corpus.
_COLUMNS = tuple(field.name for field in fields(Clip) if field.name != "corpus")
_PATHS = ("video", "audio", "images", "annotation")
_NUMBERS = ("start", "end", "age")
_COUNTS = ("row",)
_MAPPINGS = ("votes", "attributes")


def write_clips(path: Path, clips: Iterable[Clip], root: Path) -> None:
    """Write clips, files below `root` relative to it; votes and attributes as JSON."""

    def cell(value: Any) -> Any:
        if isinstance(value, Path):
            return value.relative_to(root) if value.is_relative_to(root) else value
        if isinstance(value, dict):
            return json.dumps(value)
        return "" if value is None else value

    write_csv(path, _COLUMNS, ([cell(getattr(c, name)) for name in _COLUMNS] for c in clips))


def read_clips(path: Path) -> list[Clip]:
    """The clips that `write_clips` wrote, by older versions too; paths stay as they are written.

    People, sessions and recordings that older versions took for several, for a blank or the case
    of a letter, are one here (`spelling.one_spelling`).

    Raises:
        BadInput: The file is absent or damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.reader(file)  # a dictionary per row would take 40 % longer
            places = {name: place for place, name in enumerate(next(rows, []))}
            known = [(name, places[name]) for name in _COLUMNS if name in places]
            return one_spelling([_clip(row, known) for row in rows if row])[0]
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(path, f"is no table of clips ({error})") from error


def _clip(row: list[str], known: Sequence[tuple[str, int]]) -> Clip:
    """The clip of a row, by the names and places of its columns; a short row lacks the last."""
    values: dict[str, Any] = {
        name: csv_text(row[place]) for name, place in known if place < len(row) and row[place]
    }
    for convert, names in (
        (Path, _PATHS),
        (float, _NUMBERS),
        (int, _COUNTS),
        (json.loads, _MAPPINGS),
    ):
        for name in names:
            if name in values:
                values[name] = convert(values[name])
    return Clip(**values)
