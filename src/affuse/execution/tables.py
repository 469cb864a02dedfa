"""Tables and lists that people write, in any dialect of CSV.

The encoding is told by the byte order mark (UTF-8, UTF-16, UTF-32), else it is UTF-8; text in an
8-bit code page is refused, for nothing in it says which one. Lines end in LF, CRLF or CR. Cells are
separated by commas, semicolons or tabs, as the first line tells, and cleaned (`text.clean`). Where
the separator is no comma, numbers may have a decimal comma.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.text import clean
from affuse.execution.text_files import Lines, open_text, undecodable

#: Number of a line, and its cells.
Row = tuple[int, list[str]]

_SEPARATORS = (",", ";", "\t")
_SAMPLE = 20  # rows from which the separator is told
#: What programs write for a number that is missing.
_MISSING = {
    *("na", "n/a", "#n/a", "null", "-nan", "nan(ind)", "-nan(ind)"),
    *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
}
_SEP_LINE = re.compile(r'"?sep=([^"\w\s]|\t)"?\s*', re.IGNORECASE)


class Sheet:
    """The cells of a text table, row by row; the file is read while one goes through them.

    Args:
        path: The file.
        known: Names that columns may have; they help to tell the separator.
        comments: Whether lines that begin with `#` come before the table.

    Raises:
        BadInput: The file cannot be read or is no text; what it is instead is said.

    Attributes:
        separator: `,`, `;` or a tab, or what a first line `sep=` names.
        comments: The lines before the table, without their ends.
    """

    def __init__(self, path: Path, known: Collection[str] = (), comments: bool = False) -> None:
        self.path = Path(path)
        self._encoding, head = open_text(self.path)
        lines = list(StringIO(head, newline=""))
        self.comments: list[str] = []
        while comments and lines and lines[0].startswith(("#", '"#')):
            self.comments.append(_unquoted(lines.pop(0)))
        told = _SEP_LINE.fullmatch(lines[0]) if lines else None
        self._skipped = len(self.comments) + bool(told)
        self.separator = told[1] if told else _separator(lines, known)

    def __iter__(self) -> Iterator[Row]:
        """Cleaned cells; an empty line has none.

        Raises:
            BadInput: A byte is not of the encoding, or the quotes are wrong.
        """
        try:
            with self.path.open(encoding=self._encoding, newline="") as file:
                lines = Lines(self.path, file)
                for _ in islice(lines, self._skipped):
                    pass
                lines.record.clear()
                reader = csv.reader(lines, delimiter=self.separator, skipinitialspace=True)
                for cells in reader:
                    last = self._skipped + reader.line_num
                    record, lines.record = lines.record, []
                    if lines.ended:  # the reader looked for more of this row
                        first = last - len(record) + 1
                        raise BadInput(self.path, f"line {first}: a quote is never closed")
                    yield last, list(map(clean, cells))
        except UnicodeDecodeError as error:
            raise undecodable(self.path, self._encoding) from error
        except csv.Error as error:
            raise BadInput(self.path, f"is no CSV table ({error})") from error
        except OSError as error:
            raise BadInput(self.path, error.strerror or "cannot be read") from error

    def number(self, cell: str) -> float | None:
        """The number that a cell is (NaN and infinity are numbers too), or None."""
        if "_" in cell:  # Python reads 1_0 as ten
            return None
        if cell.casefold() in _MISSING:
            return math.nan
        try:
            return float(cell)
        except ValueError:
            pass
        cell = cell.replace("\N{MINUS SIGN}", "-")
        if self.separator != "," and cell.count(",") == 1 and "." not in cell:
            cell = cell.replace(",", ".")
        try:
            return float(cell)
        except ValueError:
            return None

    def finite(self, cell: str) -> float:
        """The finite number that a cell is, or NaN."""
        value = self.number(cell)
        return value if value is not None and math.isfinite(value) else math.nan


def read_header(sheet: Sheet, rows: Iterator[Row], known: Collection[str]) -> tuple[int, list[str]]:
    """The line and the names of the columns, taken from the first row that is not empty.

    Names are spelled as in `known` where they differ in case only; empty ones at the end, which
    spreadsheets leave, are cut off.

    Raises:
        BadInput: There is no such row, or two columns have one name.
    """
    spelled = {name.casefold(): name for name in known}
    for line, cells in rows:
        if not any(cells):
            continue
        while not cells[-1]:
            cells.pop()
        names = [name if name in known else spelled.get(name.casefold(), name) for name in cells]
        for place, name in enumerate(names):
            if name and name in names[:place]:
                raise BadInput(sheet.path, f"line {line}: two columns {name}")
        return line, names
    raise BadInput(sheet.path, "is empty")


def read_rows(
    path: Path, columns: Sequence[str], optional: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table that must have some columns; empty rows are left out.

    Args:
        path: The file.
        columns: Names that must be there. Columns without a name must be empty.
        optional: Other names that are known.

    Yields:
        (number of the line, column -> cleaned cell).

    Raises:
        BadInput: The file cannot be read, lacks a column or has one twice, or a row is short or
            long (the line is named).
    """
    sheet = Sheet(path, (*columns, *optional))
    return rows_of(sheet, iter(sheet), columns, optional)


def rows_of(
    sheet: Sheet, rows: Iterator[Row], columns: Sequence[str], optional: Collection[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """As `read_rows`, of a sheet that is open."""
    line, names = read_header(sheet, rows, (*columns, *optional))
    if missing := [name for name in columns if name not in names]:
        raise BadInput(sheet.path, f"line {line}: no column {', '.join(missing)}")
    named = [k for k, name in enumerate(names) if name or name in columns]
    nameless = [k for k in range(len(names)) if k not in named]
    for line, cells in rows:
        if not any(cells):
            continue
        cells = fitted(sheet, line, cells, len(names))
        if wrong := [k for k in nameless if cells[k]]:
            raise BadInput(sheet.path, f"line {line}: column {wrong[0] + 1} has no name")
        yield line, {names[k]: cells[k] for k in named}


def fitted(sheet: Sheet, line: int, cells: list[str], width: int) -> list[str]:
    """The cells of a row without empty ones beyond the last column.

    Raises:
        BadInput: There are more or fewer than columns.
    """
    if len(cells) > width and not any(cells[width:]):
        cells = cells[:width]
    if len(cells) != width:
        many = "more" if len(cells) > width else "fewer"
        raise BadInput(sheet.path, f"line {line}: {many} cells than columns")
    return cells


def _unquoted(line: str) -> str:
    """A line of text that a spreadsheet may have saved as the first cell of a row."""
    line = line.rstrip("\r\n").rstrip(",;\t")
    return line[1:-1].replace('""', '"') if line.startswith('"') else line


def _separator(lines: Sequence[str], known: Collection[str]) -> str:
    """The one by which most known columns, else most cells that fit each other, are found."""
    names = {name.casefold() for name in known if name}

    def score(separator: str) -> tuple[int, bool, int, int]:
        reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
        try:
            rows = list(islice((row for row in reader if any(map(str.strip, row))), _SAMPLE))
        except csv.Error:
            rows = []
        if not rows or len(rows[0]) < 2:
            return 0, False, 0, 0
        cells = [clean(cell) for cell in rows[0]]
        numbers = all(_NUMBER.fullmatch(cell) for cell in cells if cell)
        even = sum(len(row) == len(cells) for row in rows)
        return sum(cell.casefold() in names for cell in cells), numbers, even, len(cells)

    return max(_SEPARATORS, key=score)


_NUMBER = re.compile(r"[-+\N{MINUS SIGN}]?(\d+[.,]?\d*|[.,]\d+)(e[-+]?\d+)?", re.IGNORECASE)
