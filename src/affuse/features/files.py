"""Files that another program made: which of them belong to a clip, and the numbers in them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.tree import walk
from affuse.errors import BadInput
from affuse.execution.names import path_below
from affuse.execution.tables import Sheet
from affuse.features.stream import Stream

#: For `clip_place`: a folder, where others are the suffix of a file.
FOLDER = ""


def clip_names(clip: Clip) -> list[str]:
    """What files of a clip may be named after: its id, or one of its own files.

    Names whose accents are composed (NFC) and those that are not are both tried.
    """
    files = [path.stem for path in (clip.video, clip.audio) if path is not None]
    names = [clip.id, *files]
    spellings = [unicodedata.normalize(form, name) for name in names for form in ("NFC", "NFD")]
    return list(dict.fromkeys([*names, *spellings]))


def clip_place(source: Path, clip: Clip, kinds: Sequence[str]) -> Path | None:
    """The folder or the file of a clip below a folder, or None.

    Args:
        source: The folder.
        clip: A `/` in its id is a folder of its own.
        kinds: Suffixes such as `.npy`, or `FOLDER`; the first one that is there is taken.
    """
    for name in clip_names(clip):
        base = path_below(source, name)
        for kind in kinds:
            for suffix in (kind, kind.upper()):
                place = base.with_name(base.name + suffix)
                if place.is_dir() if kind == FOLDER else place.is_file():
                    return place
    return None


def first_file(source: Path, suffixes: Sequence[str]) -> Path | None:
    """The first file below a folder with one of these suffixes, without listing all of them."""
    return next((path for path in walk(source) if path.suffix.lower() in suffixes), None)


def array_files(folder: Path) -> list[Path]:
    """The `.npy` files of a folder, sorted; hidden ones are left out."""
    files = (path for path in folder.iterdir() if path.suffix.lower() == ".npy")
    return sorted(path for path in files if not path.name.startswith("."))


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
    for path in array_files(folder):
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


def read_table(path: Path, known: Collection[str] = ()) -> Table:
    """The numbers of a table in any dialect of CSV (`affuse.execution.tables`).

    A first line is a header where a cell of it is no number, or where it counts 0, 1, 2, ... in
    three or more columns, as pandas names columns. Columns without a name and without a number,
    which spreadsheets leave at the end, are left out.

    Args:
        path: The file.
        known: Names of columns that are spelled so where they differ in case only.

    Raises:
        BadInput: A cell is no number or a row has another length (the line is named), a column has
            no name or that of another, or there are no rows.
    """
    sheet = Sheet(path, known)
    columns: list[str] | None = None
    rows: list[list[float]] = []
    lines: list[int] = []
    width = None
    for line, cells in sheet:
        if not cells:
            continue
        if width is None:
            if _is_header(sheet, cells):
                columns = _named(path, line, cells, known)
                width = len(columns)
                continue
            width = len(cells)
        if len(cells) > width and not any(cells[width:]):
            cells = cells[:width]
        if len(cells) != width:
            raise BadInput(path, f"line {line}: {len(cells)} cells, {width} in the first")
        numbers = [sheet.number(cell or "nan") for cell in cells]
        if None in numbers:
            raise BadInput(path, f"line {line}: {cells[numbers.index(None)]!r} is no number")
        rows.append([math.nan if number is None else number for number in numbers])
        lines.append(line)
    if not rows:
        raise BadInput(path, "holds no rows")
    values = np.array(rows)
    while columns is None and values.shape[1] > 1 and np.isnan(values[:, -1]).all():
        values = values[:, :-1]
    return Table(values, lines, columns)


def _is_header(sheet: Sheet, cells: list[str]) -> bool:
    counted = [str(number) for number in range(len(cells))]
    counts = len(cells) > 2 and cells in (counted, ["", *counted[:-1]])
    return counts or any(sheet.number(cell or "nan") is None for cell in cells)


def _named(path: Path, line: int, cells: list[str], known: Collection[str]) -> list[str]:
    while not cells[-1]:
        cells = cells[:-1]
    spelled = {name.casefold(): name for name in known}
    names = [cell if cell in known else spelled.get(cell.casefold(), cell) for cell in cells]
    if "" in names:
        raise BadInput(path, f"line {line}: column {names.index('') + 1} has no name")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(path, f"line {line}: two columns {twice}")
    return names


def finite_rows(path: Path, values: np.ndarray, lines: Sequence[int] | None = None) -> np.ndarray:
    """Rows as float32, in which a missing number is NaN.

    Args:
        path: The file, for messages.
        values: (T, D) of any numbers.
        lines: Line of the file that each row is in; by default rows are counted.

    Raises:
        BadInput: A number is infinite, or too large for float32.
    """
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
        rows: np.ndarray = values.astype(np.float32)
    wrong = np.flatnonzero(np.isinf(rows).any(1))
    if len(wrong):
        row = int(wrong[0])
        place = f"row {row + 1}" if lines is None else f"line {lines[row]}:"
        column = int(np.flatnonzero(np.isinf(rows[row]))[0]) + 1
        more = f"; one of {len(wrong)} such rows" if len(wrong) > 1 else ""
        raise BadInput(path, f"{place} holds an infinite value (number {column}{more})")
    return rows


def present_rows(values: np.ndarray) -> Stream:
    """A stream of (T, D) float32 in which rows with a NaN are absent."""
    mask = ~np.isnan(values).any(1)
    return Stream(np.where(mask[:, None], values, np.float32(0)), mask)
