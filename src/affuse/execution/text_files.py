"""Text that people saved, in whatever encoding."""

from __future__ import annotations

import codecs
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.text import clean

_HEAD = 1 << 16  # bytes from which the encoding is told
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


def read_lines(path: Path, errors: str = "strict") -> list[tuple[int, str]]:
    """Number and cleaned text of the lines of a list that are not empty.

    Args:
        path: The file.
        errors: `replace` for a file whose publisher mixed encodings.

    Raises:
        BadInput: The file cannot be read or is no text.
    """
    encoding, _ = open_text(path, errors)
    try:
        with path.open(encoding=encoding, errors=errors) as file:
            lines = [(number, clean(line)) for number, line in enumerate(Lines(path, file), 1)]
    except UnicodeDecodeError as error:
        raise undecodable(path, encoding) from error
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
    return [(number, line) for number, line in lines if line]


class Lines:
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


def open_text(path: Path, errors: str = "strict") -> tuple[str, str]:
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
        raise undecodable(path, encoding) from error
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


def undecodable(path: Path, encoding: str) -> BadInput:
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
