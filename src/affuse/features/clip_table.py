"""Some columns of a table of numbers, and its rows by clip."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.errors import BadInput
from affuse.execution.tables import Sheet, fitted, read_header

#: Columns that may name the clip of a row.
KEYS = ("id", "audio_id", "clip", "file", "name")


@dataclass(frozen=True)
class Columns:
    """(T, C) float64 of some columns, NaN where a cell is empty; and cells of other columns."""

    cells: np.ndarray
    lines: list[int]
    others: dict[str, list[str]]

    def only(self, rows: np.ndarray) -> Columns:
        """Without the other rows."""
        places = np.flatnonzero(rows)
        others = {name: [cells[k] for k in places] for name, cells in self.others.items()}
        return Columns(self.cells[places], [self.lines[k] for k in places], others)


def column_names(path: Path, known: Collection[str] = ()) -> list[str]:
    """The names of the columns of a table, spelled as in `known` where only their case differs.

    Raises:
        BadInput: The file cannot be read, is empty, or two columns have one name.
    """
    sheet = Sheet(path, known)
    return read_header(sheet, iter(sheet), known)[1]


def read_columns(path: Path, columns: Sequence[str], others: Collection[str]) -> Columns:
    """Some columns of numbers, and those of the others that are there.

    Raises:
        BadInput: The file cannot be read, lacks one of `columns`, or a cell of them is no number.
    """
    sheet = Sheet(path, (*columns, *others))
    rows = iter(sheet)
    _, names = read_header(sheet, rows, (*columns, *others))
    if missing := [name for name in columns if name not in names]:
        raise BadInput(path, f"no column {missing[0]}")
    wanted = [names.index(name) for name in columns]
    there = {name: names.index(name) for name in others if name in names}
    cells_of: dict[str, list[str]] = {name: [] for name in there}
    numbers: list[list[float]] = []
    lines: list[int] = []
    for line, cells in rows:
        if not any(cells):
            continue
        cells = fitted(sheet, line, cells, len(names))
        found = [sheet.number(cells[k] or "nan") for k in wanted]
        if None in found:
            wrong = wanted[found.index(None)]
            raise BadInput(path, f"line {line}: {names[wrong]} is no number: {cells[wrong]!r}")
        numbers.append([math.nan if x is None else x for x in found])
        lines.append(line)
        for name, place in there.items():
            cells_of[name].append(cells[place])
    return Columns(np.array(numbers).reshape(-1, len(wanted)), lines, cells_of)


def rows_by_clip(path: Path, table: Columns) -> dict[str, int]:
    """Name of a clip -> number of its row, by the columns `KEYS` among `Columns.others`.

    Args:
        path: The file, for messages.
        table: What was read of it.

    Raises:
        BadInput: None of these columns is there, or two rows name one clip.
    """
    keys = [table.others[key] for key in KEYS if key in table.others]
    if not keys:
        raise BadInput(path, f"no column {', '.join(KEYS)} that names the clips")
    rows: dict[str, int] = {}
    for names in keys:
        for row, name in enumerate(names):
            if name and rows.setdefault(name, row) != row:
                lines = table.lines
                raise BadInput(
                    path, f"line {lines[row]}: {name} is in line {lines[rows[name]]} too"
                )
    return rows
