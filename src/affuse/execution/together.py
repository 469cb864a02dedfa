"""Files that belong together: all of them appear, or none."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from affuse.errors import BadInput, reason_of
from affuse.execution.files import sweep_once, temporary_beside

#: Takes the name of a file, gives the path to write it to.
Place = Callable[[str], Path]


@contextlib.contextmanager
def together(folder: Path) -> Iterator[Place]:
    """Write several files into a folder, or none.

    Yields:
        A function from the name of a file to the path that it is to be written to meanwhile. When
        the block succeeds all take their places; on any exception, an interrupt included, what was
        there before is there again and nothing else.

    Raises:
        BadInput: The folder or a file cannot be written to.
    """
    files: dict[str, Path] = {}
    hidden = None
    made = _make_folder(folder)
    try:
        with _named(folder):
            sweep_once(folder)
            hidden = temporary_beside(folder / "affuse")
            (hidden / "before").mkdir(parents=True)
        aside = hidden

        def place(name: str) -> Path:
            # a short name: with its own, and what writers add, it could be too long
            files[name] = aside / f"{len(files)}{Path(name).suffix}"
            return files[name]

        yield place
        _put(folder, hidden / "before", files)
    finally:
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)
        for parent in made:  # those that hold something stay
            with contextlib.suppress(OSError):
                parent.rmdir()


@contextlib.contextmanager
def written(path: Path, temporary: Path) -> Iterator[None]:
    """Within the block an error of writing is one about the file as its reader knows it.

    Args:
        path: Where the file belongs.
        temporary: Where it is written to.

    Raises:
        BadInput: It cannot be written.
    """
    try:
        yield
    except BadInput as error:
        if error.path != temporary:
            raise  # about the recording
        raise BadInput(path, error.reason) from error
    except (OSError, UnicodeError, MemoryError) as error:
        raise BadInput(path, f"cannot be written ({_said(error)})") from error


def _said(error: BaseException) -> str:
    """The reason without the name of a temporary file."""
    return getattr(error, "strerror", None) or reason_of(error)


@contextlib.contextmanager
def _named(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(folder, f"cannot be written to ({_said(error)})") from error


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder; returns it and its parents that were not there, the innermost first."""
    missing = []
    for parent in (folder, *folder.parents):
        if os.path.lexists(parent):
            break
        missing.append(parent)
    with _named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return missing


def _put(folder: Path, before: Path, files: dict[str, Path]) -> None:
    """Give all files their names; one that cannot be replaced leaves everything as it was.

    Args:
        folder: Where they belong.
        before: An empty folder for the files that they replace.
        files: Name -> where it is now.
    """
    done: list[str] = []
    try:
        for name, file in files.items():
            with written(folder / name, file):
                done.append(name)
                if os.path.lexists(folder / name):
                    if (folder / name).is_dir():
                        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                    (folder / name).replace(before / file.name)
                file.replace(folder / name)
    except BaseException:
        for name in done:
            old, new = before / files[name].name, folder / name
            if os.path.lexists(old):
                old.replace(new)
            elif not os.path.lexists(files[name]) and not new.is_dir():
                new.unlink(missing_ok=True)
        raise
