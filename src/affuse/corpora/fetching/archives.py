"""Zip archives into a corpus folder."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

from affuse.errors import BadInput
from affuse.execution.files import atomic_path


@contextmanager
def open_zip(archive: Path) -> Iterator[ZipFile]:
    """A zip archive to read; whatever turns out to be broken in it is a BadInput."""
    try:
        with ZipFile(archive) as opened:
            yield opened
    except (BadZipFile, EOFError, zlib.error) as error:
        raise BadInput(archive, f"is not a whole zip archive ({error})") from error
    except RuntimeError as error:  # zipfile's for encrypted files and compression it does not know
        raise BadInput(archive, f"cannot be unpacked ({error})") from error


def check_zip(archive: Path) -> None:
    """Read all of an archive and compare its checksums (CRC-32).

    Raises:
        BadInput: It is broken.
    """
    with open_zip(archive) as opened:
        if broken := opened.testzip():
            raise BadInput(archive, f"{broken} in it is broken (CRC-32)")


def unpack(archive: Path, folder: Path) -> dict[str, tuple[int, int]]:
    """Write the files of an archive that are not there with the same size.

    Returns:
        File, relative to the folder -> size in bytes and CRC-32.

    Raises:
        BadInput: It is broken, or a name in it leads out of the folder; then nothing is written.
    """
    with open_zip(archive) as opened:
        infos = list_files(opened)
        for info in infos:
            path = folder / info.filename
            if is_intact(path, info.file_size):
                continue
            with (
                opened.open(info) as source,
                atomic_path(path) as temporary,
                temporary.open("wb") as target,
            ):
                shutil.copyfileobj(source, target)
    return {info.filename: (info.file_size, info.CRC) for info in infos}


def list_files(opened: ZipFile) -> list[ZipInfo]:
    """The files in an archive.

    Raises:
        BadInput: A name is absolute or leads upwards, also as Windows reads it.
    """
    infos = [info for info in opened.infolist() if not info.is_dir()]
    for name in (info.filename for info in infos):
        path = PurePosixPath(name)
        if path.is_absolute() or not path.parts or ".." in path.parts or set(name) & set("\\:"):
            archive = opened.filename or ""
            raise BadInput(archive, f"holds a file that leads out of it: {name!r}; not unpacked")
    return infos


def is_intact(path: Path, size: int, crc: int | None = None) -> bool:
    """Whether a file is there with this size and, where given, this CRC-32."""
    if not path.is_file() or path.stat().st_size != size:
        return False
    return crc is None or zlib.crc32(path.read_bytes()) == crc
