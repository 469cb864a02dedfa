"""What is in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path


def touch(root: Path, *names: str, content: bytes = b"x") -> None:
    """Write small files, and the folders that they are in."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a folder and of those in it: path in the folder -> bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def digests(folder: Path) -> dict[str, str]:
    """The same, of large files: path in the folder -> SHA-256."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in tree(folder).items()}
