"""Files that are either complete or absent."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # mypy takes it for the module


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` (same suffix) that takes its place when the block succeeds.

    On any exception, an interrupt included, the temporary file is removed and `path` is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone in a folder: other processes that ask wait. A process that dies lets go of it.

    The folder is made where there is none. Where the system has no such locks (Windows), nobody
    waits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; what is no character, of a file name, as `\\udce9`."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, value: Any) -> None:
    """Write JSON (indented, keys in the given order) atomically.

    Texts are exact: bytes of file names that are no UTF-8 are JSON's `\\udce9`, which Python reads
    as the same name.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a CSV table atomically.

    A text that a spreadsheet would run as a formula gets an apostrophe before it, which `csv_text`
    takes away again; numbers stay as they are.
    """
    with (
        atomic_path(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        for row in (header, *rows):
            file.write(",".join(_cell(value) for value in row) + "\n")


#: Beginnings that spreadsheets take for a formula or a command, also in full width.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
#: A byte of a file name that is no UTF-8, as it is written.
_BYTE = re.compile(r"\\u(dc[89a-f][0-9a-f])")
_QUOTED = re.compile('[",\r\n]')


def csv_text(cell: str) -> str:
    """The text of a cell that `write_csv` wrote."""
    text = cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell
    return _BYTE.sub(lambda found: chr(int(found[1], 16)), text)


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    if _FORMULA.match(text) and not _is_number(text):
        text = f"'{text}"
    quote = '"'
    return f"{quote}{text.replace(quote, 2 * quote)}{quote}" if _QUOTED.search(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text == text.strip()


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Digest of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
