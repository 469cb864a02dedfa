"""Zip archives into a corpus folder; what is in them is not trusted."""

from __future__ import annotations

import re
import shutil
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from affuse.errors import BadInput
from affuse.execution.files import atomic_path
from affuse.execution.text import clean

#: An archive may unpack to so many times its size, or to `ALWAYS` bytes; recordings hardly shrink.
GROWTH = 20
ALWAYS = 1 << 28
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST = 200  # bytes of a part of a name


@contextmanager
def open_zip(archive: Path) -> Iterator[ZipFile]:
    """A zip archive to read; whatever turns out to be broken in it is a BadInput."""
    try:
        with ZipFile(archive) as opened:
            yield opened
    except (BadZipFile, EOFError, zlib.error) as error:
        raise BadInput(archive, f"is not a whole zip archive ({error})") from error
    except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown compression
        raise BadInput(archive, f"cannot be unpacked ({error})") from error


def check_zip(archive: Path, any_size: bool = False) -> None:
    """Read all of an archive and compare its checksums (CRC-32).

    Raises:
        BadInput: It is broken, or unpacks to too much (`list_files`).
    """
    with open_zip(archive) as opened:
        _check_size(opened, opened.infolist(), any_size)
        if broken := opened.testzip():
            name = broken if broken.isprintable() else repr(broken)
            raise BadInput(archive, f"{name} in it is broken (CRC-32)")


def unpack(archive: Path, folder: Path, any_size: bool = False) -> dict[str, tuple[int, int]]:
    """Write the files of an archive that are not there with the same size.

    Each file appears when it is whole; unpacking again goes on where it was interrupted. Modes of
    files are not taken over.

    Args:
        archive: The archive.
        folder: Where to.
        any_size: Whether it may unpack to any size.

    Returns:
        File, relative to the folder -> size in bytes and CRC-32.

    Raises:
        BadInput: It is broken, holds what `list_files` refuses, or there is no room for it; then
            nothing is written.
    """
    with open_zip(archive) as opened:
        infos = list_files(opened, any_size=any_size)
        todo = [i for i in infos if not is_intact(folder / i.filename, i.file_size)]
        check_room(archive, folder, sum(info.file_size for info in todo))
        for info in todo:
            path = folder / info.filename
            with (
                opened.open(info) as source,
                atomic_path(path) as temporary,
                temporary.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
    return {info.filename: (info.file_size, info.CRC) for info in infos}


def check_room(archive: Path, folder: Path, size: int) -> None:
    """Refuse what a disk has no room for; `BadInput`."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if size > (free := shutil.disk_usage(there).free):
        reason = f"unpacks to {size:,} bytes, and {there} has {free:,} left; not unpacked"
        raise BadInput(archive, reason)


def list_files(
    opened: ZipFile,
    wanted: Callable[[str], bool] = lambda name: True,
    any_size: bool = False,
) -> list[ZipInfo]:
    """The files in an archive.

    Args:
        opened: The archive.
        wanted: Which names of it are meant; what others are does not matter.
        any_size: Whether the archive may unpack to any size.

    Raises:
        BadInput: A name is absolute or leads upwards, also as Windows reads it, or has characters
            that are no letters; one name is there twice, or differs from another in case or in
            unseen characters only, or is a file and a folder; an entry is a link or a device; or
            all together unpack to more than `GROWTH` times the archive and `ALWAYS` bytes.
    """
    infos = [info for info in opened.infolist() if info.is_dir() or wanted(info.filename)]
    files = [info for info in infos if not info.is_dir()]
    archive = opened.filename or ""
    seen: dict[str, ZipInfo] = {}
    for info in infos:
        if reason := _problem(info):
            raise BadInput(archive, f"holds {reason}: {info.filename!r}; not unpacked")
    for info in files:
        key = _key(info.filename)
        if key in seen:
            pair = f"{seen[key].filename!r} and {info.filename!r}"
            raise BadInput(archive, f"holds one file twice: {pair}; not unpacked")
        seen[key] = info
    for info in infos:
        parts = _key(info.filename).split("/")
        above = ["/".join(parts[:k]) for k in range(1, len(parts))]
        above += ["/".join(parts)] if info.is_dir() else []
        if both := [name for name in above if name in seen]:
            name = seen[both[0]].filename
            raise BadInput(archive, f"holds a file that is a folder too: {name!r}; not unpacked")
    _check_size(opened, files, any_size)
    return files


def _problem(info: ZipInfo) -> str:
    """What is wrong with an entry by itself; empty if nothing."""
    name = info.filename.removesuffix("/") if info.is_dir() else info.filename
    parts = name.split("/")
    if _CONTROLS.search(name):
        return "a name with control characters"
    if PurePosixPath(name).is_absolute() or ".." in parts or set(name) & set("\\:"):
        return "a file that leads out of it"
    if any(part in ("", ".") or len(part.encode()) > _LONGEST for part in parts):
        return "a name that is none for a file"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link" if kind == stat.S_IFLNK else "a device or a pipe"
    return ""


def _key(name: str) -> str:
    """What is the same in two names that some file systems take for one."""
    return "/".join(clean(part).casefold() for part in name.removesuffix("/").split("/"))


def _check_size(opened: ZipFile, infos: list[ZipInfo], any_size: bool) -> None:
    path = Path(opened.filename or "")
    size, packed = sum(info.file_size for info in infos), path.stat().st_size
    if not any_size and size > max(GROWTH * packed, ALWAYS):
        raise BadInput(
            path,
            f"of {packed:,} bytes unpacks to {size:,}, more than {GROWTH} times as much; not "
            "unpacked (--any-size does)",
        )


def is_intact(path: Path, size: int, crc: int | None = None) -> bool:
    """Whether a file is there with this size and, where given, this CRC-32."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    return crc is None or _crc(path) == crc


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc
