"""The folder of a synthetic corpus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from affuse.errors import BadInput
from affuse.execution.files import write_text


def claim(out: Path, readme: str, content: str) -> None:
    """Mark a folder as a synthetic corpus by its `README.txt`, unless it is something else.

    Args:
        out: The folder, made when absent.
        readme: What the file says; it tells the seed and every option that changes a file.
        content: Pattern of names that such a corpus has at its top.

    Raises:
        BadInput: The folder holds the corpus of another seed, or a corpus without the file.
    """
    path = out / "README.txt"
    if out.exists() and not out.is_dir():
        raise BadInput(out, "not a folder")
    if path.exists():
        if path.read_bytes() != readme.encode():
            raise BadInput(path, "not of this synthetic corpus (other seed, length or version)")
    elif out.exists() and any(out.glob(content)):
        raise BadInput(out, "holds recordings but no README.txt of a synthetic corpus")
    else:
        write_text(path, readme)


def absent(out: Path, files: Mapping[str, Path]) -> dict[str, Path]:
    """Of files by suffix, below a folder, those that are not there yet, with the folder."""
    paths = {suffix: out / path for suffix, path in files.items()}
    return {suffix: path for suffix, path in paths.items() if not path.exists()}
