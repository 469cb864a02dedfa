"""Continuous valence and arousal that raters gave a recording, from a text file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.errors import BadInput
from affuse.execution.tables import Row, Sheet

#: Dimensions of Aff-Wild2 in the order of its columns.
VALENCE_AROUSAL = ("valence", "arousal")
_TIME = "time"


@dataclass(frozen=True)
class Annotation:
    """Continuous valence and arousal.

    Args:
        names: Of the D dimensions.
        values: (N, D) float32; 0 in rows that are not valid.
        valid: (N,) bool: whether the row has a value in every dimension.
        times: (N,) float64 rising seconds of the recording; or None, and row i belongs to image
            i of the video.
    """

    names: tuple[str, ...]
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    times: NDArray[np.float64] | None = None


def read_annotation(path: Path) -> Annotation:
    """Read the annotation of one recording.

    Args:
        path: Either a file as Aff-Wild2 has them: a first line `valence,arousal`, then a row per
            image of the video with values from -1 to 1; a row with a value below -1 (the
            publisher writes -5) is not valid. Or a CSV with a column `time` in seconds and a
            column per dimension; a row with an empty cell is not valid. Either may be in any
            dialect of CSV (`affuse.execution.tables`).

    Raises:
        BadInput: The file is absent, empty or no such table; what is wrong in a row is named with
            its line.

    Source: Kollias & Zafeiriou 2019 (Aff-Wild2), annotation of valence and arousal.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(path, "is not a file" if path.exists() else "no such file")
    sheet = Sheet(path, (_TIME, *VALENCE_AROUSAL))
    rows = _rows(sheet)
    at, header = rows.pop(0)
    timed = _TIME in header
    names = tuple(name for name in header if name != _TIME)
    if not timed and names != VALENCE_AROUSAL:
        raise BadInput(
            path,
            f"line {at}: columns {','.join(header)}; expected {','.join(VALENCE_AROUSAL)} (a row "
            f"per image), or a column {_TIME} in seconds and one per dimension",
        )
    if not names or "" in names or len(set(header)) < len(header):
        raise BadInput(path, f"line {at}: columns {','.join(header)}; expected different names")
    if not rows:
        raise BadInput(path, "holds no row below its header")
    lines = [line for line, _ in rows]
    numbers = np.array([_numbers(sheet, line, row, header) for line, row in rows])
    if timed:
        column = header.index(_TIME)
        times, values = numbers[:, column], np.delete(numbers, column, axis=1)
        _check_times(times, path, lines)
        valid = ~np.isnan(values).any(1)
    else:
        times, values = None, numbers
        _check_range(values, path, lines)
        valid = (values >= -1).all(1)
    kept = np.where(valid[:, None], values, 0)
    if len(large := np.flatnonzero((np.abs(kept) > np.finfo(np.float32).max).any(1))):
        raise BadInput(path, f"line {lines[large[0]]}: holds a number that is too large")
    return Annotation(names, kept.astype(np.float32), valid, times)


def _rows(sheet: Sheet) -> list[Row]:
    """Header and rows, all without the empty cells and rows that spreadsheets leave at the end."""
    rows = list(sheet)
    while rows and not any(rows[-1][1]):
        rows.pop()
    while rows and not any(rows[0][1]):
        rows.pop(0)
    if not rows:
        raise BadInput(sheet.path, "is empty")
    line, header = rows[0]
    while not header[-1]:
        header = header[:-1]
    known = {name: name for name in (_TIME, *VALENCE_AROUSAL)}
    header = [known.get(name.casefold(), name) for name in header]
    width = len(header)
    return [
        (line, header),
        *((line, row if any(row[width:]) else row[:width]) for line, row in rows[1:]),
    ]


def _numbers(sheet: Sheet, line: int, row: list[str], header: list[str]) -> list[float]:
    """The numbers of a line; NaN for an empty cell of a table with times."""
    if len(row) != len(header):
        raise BadInput(sheet.path, f"line {line}: {len(row)} values, expected {len(header)}")
    numbers = []
    for name, cell in zip(header, row, strict=True):
        if not cell and _TIME in header and name != _TIME:
            numbers.append(math.nan)
            continue
        number = sheet.finite(cell)
        if math.isnan(number):
            raise BadInput(sheet.path, f"line {line}: {name} is not a number: {cell!r}")
        numbers.append(number)
    return numbers


def _check_times(times: NDArray[np.float64], path: Path, lines: Sequence[int]) -> None:
    falls = np.flatnonzero(np.diff(times) <= 0)
    if len(falls):
        before, here = times[falls[0] : falls[0] + 2]
        raise BadInput(path, f"line {lines[falls[0] + 1]}: time {here:g} is not after {before:g}")


def _check_range(values: NDArray[np.float64], path: Path, lines: Sequence[int]) -> None:
    rows, columns = np.nonzero(values > 1)
    if len(rows):
        name, value = VALENCE_AROUSAL[columns[0]], values[rows[0], columns[0]]
        raise BadInput(path, f"line {lines[rows[0]]}: {name} {value:g} is above 1")
