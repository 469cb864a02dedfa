"""Files that are either complete or absent."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from affuse.errors import BadInput

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # mypy takes it for the module

log = logging.getLogger(__name__)

#: Bytes of a file's name that every usual disk takes.
_LONGEST_NAME = 250
#: Seconds after which temporary files of other machines are strays.
_DAY = 86_400.0
_TEMPORARY = re.compile(r"\.(?P<machine>[0-9a-f]{8})-(?P<pid>\d+)-(?P<birth>\d*)-\d+(\.[^.]*)?$")
_count = count()


class NotWritten(BadInput):
    """A file that cannot be written: the disk is full, read-only, or not ours."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` (same suffix) that takes its place when the block succeeds.

    On any exception, an interrupt included, the temporary file is removed and `path` is untouched.
    What killed processes left in the folder is removed too.

    Raises:
        NotWritten: The system refuses.
    """
    path = Path(path)
    _check_disk(path)
    temporary = temporary_beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(path.parent)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.filename not in (None, *map(str, (temporary, path, *path.parents))):
            raise  # of another file
        raise NotWritten(path, error.strerror or "cannot be written") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def is_remote(path: Path) -> bool:
    """Whether a path is of object storage: `s3://bucket/folder`, held as `s3:/bucket/folder`."""
    return path.parts[:1] == ("s3:",)


def _check_disk(path: Path) -> None:
    if is_remote(path):
        raise NotWritten(path, "affuse writes to disks alone; copy what it made to the storage")


def temporary_beside(path: Path) -> Path:
    """A name beside `path` that no other process takes and that tells whose it is."""
    name = f".{_machine()}-{os.getpid()}-{_birth(os.getpid())}-{next(_count)}{path.suffix}"
    stem = path.stem
    while len(os.fsencode(f".{stem}{name}")) > _LONGEST_NAME and stem:
        stem = stem[:-1]
    return path.with_name(f".{stem}{name}")


def sweep(folder: Path) -> None:
    """Remove temporary files and folders from a folder whose process is gone.

    A process of this machine is known to be gone; files of other machines, containers and boots
    that share the folder are left for a day.
    """
    try:
        entries = [entry for entry in os.scandir(folder) if entry.name.startswith(".")]
    except OSError:
        return
    for entry in entries:
        if (found := _TEMPORARY.search(entry.name)) is None:
            continue
        with suppress(OSError):
            if found["machine"] == _machine():
                gone = _birth(int(found["pid"])) != found["birth"]
            else:
                gone = time.time() - entry.stat().st_mtime > _DAY
            if gone:
                shutil.rmtree(entry) if entry.is_dir() else Path(entry).unlink()


sweep_once = lru_cache(maxsize=None)(sweep)


@lru_cache(maxsize=1)
def _machine() -> str:
    """Eight letters that stand for this machine since it started, and its numbering of processes.

    Two machines, or containers of one, that share a folder number processes each for itself.
    """
    facts = [platform.node()]
    with suppress(OSError):
        facts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
    with suppress(OSError):
        facts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:8]


def _birth(pid: int) -> str:
    """When a process began, so that another one with its number is told from it; empty: gone."""
    if not Path("/proc/self/stat").exists():  # not Linux: numbers have to do
        try:
            os.kill(pid, 0) if os.name == "posix" else None
        except ProcessLookupError:
            return ""
        except OSError:
            pass
        return "0"
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return facts.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


@contextmanager
def locked(
    folder: Path, waits: Callable[[], None] = lambda: None, shared: bool = False
) -> Iterator[None]:
    """Alone in a folder: other processes that ask wait. A process that dies lets go of it.

    The folder is made where there is none. Where the system has no such locks (Windows, some
    network disks), nobody waits.

    Args:
        folder: The folder.
        waits: Called once where another process has it.
        shared: Whether it is enough to be alone with others who share it.

    Raises:
        NotWritten: The system refuses.
    """
    _check_disk(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / ".lock").open("a")
    except OSError as error:
        raise NotWritten(folder, error.strerror or "cannot be written") from error
    with file:
        if fcntl is not None:
            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                waits()
                fcntl.flock(file, kind)
            except OSError:
                log.debug("%s: its disk has no locks", folder)
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
    return _BYTE.sub(lambda found: chr(int(found[1], 16)), text) if "\\u" in text else text


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
