"""Tables and lists that people write, in any dialect of CSV.

The encoding is told by the byte order mark (UTF-8, UTF-16, UTF-32), else it is UTF-8; text in an
8-bit code page is refused, for nothing in it says which one. Lines end in LF, CRLF or CR. Cells are
separated by commas, semicolons or tabs, as the first line tells, and cleaned (`text.clean`). Where
the separator is no comma, numbers may have a decimal comma.
"""

from __future__ import annotations

import codecs
import csv
import math
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import StringIO
from itertools import islice
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.text import clean

#: Number of a line, and its cells.
Row = tuple[int, list[str]]

_SEPARATORS = (",", ";", "\t")
_HEAD = 1 << 16  # bytes from which encoding and separator are told
_SAMPLE = 20  # rows of them
#: What programs write for a number that is missing.
_MISSING = {
    *("na", "n/a", "#n/a", "null", "-nan", "nan(ind)", "-nan(ind)"),
    *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
}
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_OTHERS = (
    (b"PK\x03\x04", "a spreadsheet (.xlsx, .ods) or zip archive; save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook (.xls); save the table as CSV"),
    (b"\x1f\x8b", "compressed (gzip); unpack it"),
    (b"%PDF", "a PDF document"),
    (b"{\\rtf", "a document in RTF; save it as plain text"),
    (b"version https://git-lfs", "a Git LFS pointer (git lfs pull gets the file)"),
    (b"/annex/objects/", "a git-annex pointer (git annex get gets the file)"),
)


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
        self._encoding, head = _open(self.path)
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
                lines = _Lines(self.path, file)
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
            raise _undecodable(self.path, self._encoding) from error
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


def read_lines(path: Path, errors: str = "strict") -> list[tuple[int, str]]:
    """Number and cleaned text of the lines of a list that are not empty.

    Args:
        path: The file.
        errors: `replace` for a file whose publisher mixed encodings.

    Raises:
        BadInput: The file cannot be read or is no text.
    """
    encoding, _ = _open(path, errors)
    try:
        with path.open(encoding=encoding, errors=errors) as file:
            lines = [(number, clean(line)) for number, line in enumerate(_Lines(path, file), 1)]
    except UnicodeDecodeError as error:
        raise _undecodable(path, encoding) from error
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    return [(number, line) for number, line in lines if line]


class _Lines:
    """Lines of a file; those since `record` was emptied are kept."""

    def __init__(self, path: Path, lines: Iterable[str]) -> None:
        self._path, self._lines = path, iter(lines)
        self.record: list[str] = []
        self.ended = False
        self._count = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = next(self._lines)
        except StopIteration:
            self.ended = True
            raise
        self._count += 1
        if "\0" in line:
            raise BadInput(self._path, f"line {self._count}: holds a NUL character; is it text?")
        self.record.append(line)
        return line


def _unquoted(line: str) -> str:
    """A line of text that a spreadsheet may have saved as the first cell of a row."""
    line = line.rstrip("\r\n").rstrip(",;\t")
    return line[1:-1].replace('""', '"') if line.startswith('"') else line


def _open(path: Path, errors: str = "strict") -> tuple[str, str]:
    """The encoding of a text file, and its beginning."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would wait for ever
            raise BadInput(path, "is no file")
        with path.open("rb") as file:
            data = file.read(_HEAD)
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    for magic, what in _OTHERS:
        if data.startswith(magic):
            raise BadInput(path, f"is {what}")
    if re.match(rb"\s*<(!doctype|html|\?xml)", data, re.IGNORECASE):
        raise BadInput(path, "is a page of HTML or XML, not a table")
    marked = [name for bom, name in _BOMS if data.startswith(bom)]
    encoding = marked[0] if marked else _without_mark(path, data)
    try:
        text = codecs.getincrementaldecoder(encoding)(errors).decode(data, len(data) < _HEAD)
    except UnicodeDecodeError as error:
        raise _undecodable(path, encoding) from error
    if len(data) == _HEAD:  # the last line may be cut
        text = text[: max(text.rfind("\n"), text.rfind("\r")) + 1] or text
    return encoding, text


def _without_mark(path: Path, data: bytes) -> str:
    """UTF-8, or UTF-16 where most of every second bytes are zero, and none of the others."""
    if 0 not in data:
        return "utf-8"
    even, odd = data[:400:2], data[1:400:2]
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if 2 * zeros.count(0) > len(zeros) and all(others):
            return name
    raise BadInput(path, "is not a text file (it holds NUL bytes)")


def _undecodable(path: Path, encoding: str) -> BadInput:
    """What to say of bytes that are not of the encoding."""
    data = path.read_bytes()
    other = "" if encoding.startswith("utf-8") else f" or {encoding[:6].upper()}"
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "replace").count("\n") + 1
        byte = f"byte {error.start + 1}, 0x{data[error.start]:02x}"
        reason = f"line {line}: is no text in UTF-8{other} ({byte}); save the file as UTF-8"
        return BadInput(path, reason)
    return BadInput(path, f"is no text in UTF-8{other}")


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
