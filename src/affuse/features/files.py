"""Files that another program made: which of them belong to a clip, and the numbers in them."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput

#: For `clip_place`: a folder, where others are the suffix of a file.
FOLDER = ""


def clip_names(clip: Clip) -> list[str]:
    """What files of a clip may be named after: its id, or one of its own files."""
    files = [path.stem for path in (clip.video, clip.audio) if path is not None]
    return [clip.id, *files]


def clip_place(source: Path, clip: Clip, kinds: Sequence[str]) -> Path | None:
    """The folder or the file of a clip below a folder, or None.

    Args:
        source: The folder.
        clip: A `/` in its id is a folder of its own.
        kinds: Suffixes such as `.npy`, or `FOLDER`; the first one that is there is taken.
    """
    for name in clip_names(clip):
        base = source / name
        for kind in kinds:
            place = base.with_name(base.name + kind)
            if place.is_dir() if kind == FOLDER else place.is_file():
                return place
    return None


def first_file(source: Path, suffixes: Sequence[str]) -> Path | None:
    """The first file below a folder with one of these suffixes, without listing all of them."""
    for folder, folders, names in os.walk(source):
        folders.sort()
        for name in sorted(names):
            if not name.startswith(".") and Path(name).suffix in suffixes:
                return Path(folder, name)
    return None


def numbered_files(folder: Path, what: str) -> dict[int, Path]:
    """Files `1.npy`, `2.npy`, ... of a folder.

    Args:
        folder: Counts from 1, or from 0 where there is a `0.npy`.
        what: What each holds, in the singular, for messages.

    Returns:
        Number, from 0 -> file.

    Raises:
        BadInput: The folder is empty, a name is no number, or two are the same number.
    """
    files: dict[int, Path] = {}
    for path in sorted(folder.glob("*.npy")):
        if not (path.stem.isascii() and path.stem.isdecimal()):
            raise BadInput(path, f"is not named after the number of a {what}, such as 12.npy")
        if (number := int(path.stem)) in files:
            raise BadInput(path, f"is {what} {number}, as {files[number].name} is")
        files[number] = path
    if not files:
        raise BadInput(folder, f"holds no {what}s (1.npy, 2.npy, ...)")
    return files if 0 in files else {number - 1: path for number, path in files.items()}


def read_array(path: Path, *shapes: tuple[int | str, ...]) -> np.ndarray:
    """The numbers of a `.npy` file; pickled objects are not opened.

    Args:
        path: The file.
        shapes: What it may be shaped like; a word such as `T` stands for any length but 0.

    Returns:
        The array in the dtype of the file.

    Raises:
        BadInput: No NumPy array, damaged, not of numbers, or of another shape.
    """
    try:
        values: np.ndarray = np.load(path, allow_pickle=False)
        shape, kind = values.shape, values.dtype.kind
    except Exception as error:  # a damaged file can raise anything
        raise BadInput(path, "no NumPy array, or damaged, or pickled (not opened)") from error
    fits = any(
        len(shape) == len(wanted)
        and all(isinstance(w, str) or w == n for w, n in zip(wanted, shape, strict=True))
        for wanted in shapes
    )
    if not fits or not values.size or kind not in "fiu":
        expected = " or ".join(str(wanted).replace("'", "") for wanted in shapes)
        raise BadInput(path, f"holds {values.dtype} of shape {shape}, not numbers {expected}")
    return values


def nearest_rows(times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Number of the row that is nearest to each wanted time, the earlier of two as near.

    Args:
        times: (T,) seconds, not decreasing; at least one.
        wanted: (N,) seconds.
    """
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    before = after - 1
    after = np.minimum(after, len(times) - 1)
    return np.where(wanted - times[before] <= times[after] - wanted, before, after)


@dataclass(frozen=True)
class Table:
    """The numbers of a CSV file.

    Args:
        cells: (T, C) float64, NaN where a cell is empty.
        lines: Line of the file that each row is in.
        columns: Names of the columns, or None where the file has no header.
    """

    cells: np.ndarray
    lines: list[int]
    columns: list[str] | None


def read_table(path: Path) -> Table:
    """The numbers of a comma-separated file.

    A first line is a header where a cell of it is no number, or where it counts 0, 1, 2, ... in
    three or more columns, as pandas names columns.

    Raises:
        BadInput: A cell is no number or a row has another length (the line is named), a column has
            no name or that of another, or there are no rows.
    """
    columns: list[str] | None = None
    rows: list[list[float]] = []
    lines: list[int] = []
    width = None
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, skipinitialspace=True)
            for cells in reader:
                if not cells:
                    continue
                if width is None:
                    width = len(cells)
                    if _is_header(cells):
                        columns = _named(path, reader.line_num, cells)
                        continue
                if len(cells) != width:
                    raise BadInput(
                        path, f"line {reader.line_num}: {len(cells)} cells, {width} in the first"
                    )
                try:
                    rows.append([float(cell or "nan") for cell in cells])
                except ValueError:
                    wrong = next(cell for cell in cells if not _is_number(cell))
                    reason = f"line {reader.line_num}: {wrong!r} is no number"
                    raise BadInput(path, reason) from None
                lines.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise BadInput(path, f"is not a CSV table ({error})") from error
    if not rows:
        raise BadInput(path, "holds no rows")
    return Table(np.array(rows), lines, columns)


def _is_number(cell: str) -> bool:
    try:
        float(cell or "nan")
    except ValueError:
        return False
    return True


def _is_header(cells: list[str]) -> bool:
    counted = [str(number) for number in range(len(cells))]
    counts = len(cells) > 2 and cells in (counted, ["", *counted[:-1]])
    return counts or not all(map(_is_number, cells))


def _named(path: Path, line: int, cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if "" in names:
        raise BadInput(path, f"line {line}: column {names.index('') + 1} has no name")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(path, f"line {line}: two columns {twice}")
    return names
