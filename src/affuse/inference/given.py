"""Recordings as Python programs have them: files, bytes, file objects and arrays."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, cast

from affuse.errors import AffuseError, BadInput, shown
from affuse.media.memory import InMemory, held

#: A recording: a file by its name, the bytes of one, a binary file object, or arrays.
RecordingLike = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | InMemory
#: What a recording without a name is called.
UNNAMED = "recording"


@dataclass(frozen=True)
class Named:
    """A recording in memory by another name.

    Args:
        name: What it is called in results and messages.
        given: The recording.
    """

    name: str
    given: RecordingLike


def is_path(given: object) -> bool:
    """Whether a recording is given by the name of its file."""
    return isinstance(given, str | os.PathLike)


def name_of_given(given: object) -> str:
    """What a recording is called in results and messages.

    Raises:
        AffuseError: It is no recording.
    """
    if isinstance(given, InMemory | Named):
        return given.name
    if isinstance(given, bytes | bytearray | memoryview):
        return UNNAMED
    if is_path(given):
        return os.fspath(cast("str | os.PathLike[str]", given))
    if hasattr(given, "read"):
        name = getattr(given, "name", None)  # files have one, streams of sockets a number
        return Path(name).name if isinstance(name, str) and name else UNNAMED
    raise AffuseError(
        f"a {type(given).__name__} is no recording; expected a path, bytes, a binary file object "
        "or InMemory"
    )


@contextmanager
def opened(given: RecordingLike | Named) -> Iterator[Path]:
    """Within the block a path leads to a recording.

    Bytes and file objects lie in a temporary file as long as they are read, for decoders jump.

    Args:
        given: The recording; a file object is read from where it stands.

    Raises:
        BadInput: Where the block raises it about the path, the same about the name of the
            recording.
        AffuseError: It is no recording, or a file object of text.
    """
    name = name_of_given(given)
    if isinstance(given, Named):
        given = given.given
    if is_path(given):
        yield Path(name)
    elif isinstance(given, InMemory):
        with held(given) as path, _renamed(path, name):
            yield path
    else:
        with TemporaryDirectory(prefix="affuse-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / f"recording{Path(name).suffix}"
            _write(cast("bytes | IO[bytes]", given), name, path)
            with _renamed(path, name):
                yield path


def _write(given: bytes | bytearray | memoryview | IO[bytes], name: str, path: Path) -> None:
    with path.open("wb") as file:
        if isinstance(given, bytes | bytearray | memoryview):
            file.write(given)
            return
        if isinstance(given, io.TextIOBase):
            raise AffuseError(f"{shown(name)}: a file object of text; open it with mode 'rb'")
        shutil.copyfileobj(cast("Any", given), file)


@contextmanager
def _renamed(path: Path, name: str) -> Iterator[None]:
    """Errors about a path are about a name."""
    try:
        yield
    except BadInput as error:
        if error.path != path:
            raise
        raise type(error)(name, error.reason) from error
