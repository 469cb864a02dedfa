"""Values over time that raters gave a recording, from a text file."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.errors import BadInput

#: Dimensions of Aff-Wild2 in the order of its columns.
VALENCE_AROUSAL = ("valence", "arousal")
_TIME = "time"


@dataclass(frozen=True)
class Annotation:
    """Values over time.

    Args:
        names: Of the D dimensions.
        values: (N, D) float32; 0 in rows that are not valid.
        valid: (N,) bool: whether the row has a value in every dimension.
        times: (N,) float64 rising seconds of the recording; or None, and row i belongs to picture
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
            picture of the video with values from -1 to 1; a row with a value below -1 (the
            publisher writes -5) is not valid. Or a CSV with a column `time` in seconds and a
            column per dimension; a row with an empty cell is not valid.

    Raises:
        BadInput: The file is absent, empty or no such table; what is wrong in a row is named with
            its line.

    Source: Kollias & Zafeiriou 2019 (Aff-Wild2), annotation of valence and arousal.
    """
    path = Path(path)
    rows = _rows(path)
    header = [name.strip() for name in rows[0]]
    timed = _TIME in header
    names = tuple(name for name in header if name != _TIME)
    if not timed and names != VALENCE_AROUSAL:
        raise BadInput(
            path,
            f"line 1: columns {','.join(header)}; expected {','.join(VALENCE_AROUSAL)} (a row per "
            f"picture), or a column {_TIME} in seconds and one per dimension",
        )
    if not names or "" in names or len(set(header)) < len(header):
        raise BadInput(path, f"line 1: columns {','.join(header)}; expected different names")
    if len(rows) == 1:
        raise BadInput(path, "holds no row below its header")
    numbers = np.array([_numbers(row, header, path, line) for line, row in enumerate(rows[1:], 2)])
    if timed:
        column = header.index(_TIME)
        times, values = numbers[:, column], np.delete(numbers, column, axis=1)
        _check_times(times, path)
        valid = ~np.isnan(values).any(1)
    else:
        times, values = None, numbers
        _check_range(values, path)
        valid = (values >= -1).all(1)
    return Annotation(names, np.where(valid[:, None], values, 0).astype(np.float32), valid, times)


def _rows(path: Path) -> list[list[str]]:
    """The cells of each line; empty lines at the end do not count."""
    if not path.is_file():
        raise BadInput(path, "is not a file" if path.exists() else "no such file")
    try:
        text = path.read_text(encoding="utf-8-sig").rstrip()
    except UnicodeDecodeError as error:
        raise BadInput(path, "is not a text file in UTF-8") from error
    if not text:
        raise BadInput(path, "is empty")
    try:
        return list(csv.reader(text.split("\n")))
    except csv.Error as error:
        raise BadInput(path, f"is not a CSV table ({error})") from error


def _numbers(row: list[str], header: list[str], path: Path, line: int) -> list[float]:
    """The numbers of a line; NaN for an empty cell of a table with times."""
    if len(row) != len(header):
        raise BadInput(path, f"line {line}: {len(row)} values, expected {len(header)}")
    numbers = []
    for name, cell in zip(header, row, strict=True):
        if not cell.strip() and _TIME in header and name != _TIME:
            numbers.append(math.nan)
            continue
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise BadInput(path, f"line {line}: {name} is not a number: {cell!r}")
        numbers.append(number)
    return numbers


def _check_times(times: NDArray[np.float64], path: Path) -> None:
    falls = np.flatnonzero(np.diff(times) <= 0)
    if len(falls):
        before, here = times[falls[0] : falls[0] + 2]
        raise BadInput(path, f"line {falls[0] + 3}: time {here:g} is not after {before:g}")


def _check_range(values: NDArray[np.float64], path: Path) -> None:
    rows, columns = np.nonzero(values > 1)
    if len(rows):
        name, value = VALENCE_AROUSAL[columns[0]], values[rows[0], columns[0]]
        raise BadInput(path, f"line {rows[0] + 2}: {name} {value:g} is above 1")
