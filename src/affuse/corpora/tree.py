"""What lies below the folder of a corpus."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from affuse.errors import BadInput

_POINTER = b"version https://git-lfs"
_POINTER_SIZE = 1024  # bytes; such files are shorter


def check_folder(root: Path) -> None:
    """Refuse what is no folder.

    Raises:
        BadInput: There is none, or it is a file.
    """
    if not root.is_dir():
        raise BadInput(root, "no such folder" if not root.exists() else "is not a folder")


def walk(root: Path) -> Iterator[Path]:
    """All files below a folder in a fixed order; hidden ones are left out."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder, name)


def is_pointer(path: Path) -> bool:
    """Whether a file stands for one that Git LFS has not fetched yet."""
    if path.stat().st_size >= _POINTER_SIZE:
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def is_synthetic(root: Path, line: str) -> bool:
    """Whether the `README.txt` of a folder begins with a line."""
    readme = root / "README.txt"
    return readme.is_file() and readme.read_text("utf-8", "replace").startswith(line)


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV table that must have some columns.

    Yields:
        (number of the line, column -> cell).

    Raises:
        BadInput: The file cannot be read, lacks a column, or a row is short or long.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise BadInput(path, f"line 1: no column {', '.join(missing)}")
            for row in reader:
                if None in row or None in row.values():
                    cells = "more" if None in row else "fewer"
                    raise BadInput(path, f"line {reader.line_num}: {cells} cells than columns")
                yield reader.line_num, row
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInput(path, f"is no CSV table ({error})") from error
    except OSError as error:
        raise BadInput(path, error.strerror or "cannot be read") from error
