"""Recordings in Git LFS, without git.

The archive of a repository holds a pointer in the place of each recording; a server tells where a
recording is (Git LFS batch API, transfer `basic`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from affuse.corpora.fetching.archives import is_intact, list_files, open_zip
from affuse.errors import AffuseError
from affuse.execution.download import download, post_json
from affuse.execution.files import atomic_path, file_digest

BATCH = 100  #: pointers per request, as git-lfs asks
WORKERS = 8  #: downloads at once: clips are small, a connection takes longer than its bytes
_JSON = "application/vnd.git-lfs+json"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*"
    rb"oid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)


@dataclass(frozen=True)
class Pointer:
    """What stands in a repository for a file.

    Args:
        path: Of the file in the repository.
        oid: Its SHA-256.
        size: In bytes.
    """

    path: str
    oid: str
    size: int


def parse_pointer(path: str, content: bytes) -> Pointer | None:
    """The pointer that a file of a repository is; None for any other content."""
    match = _POINTER.fullmatch(content)
    return None if match is None else Pointer(path, match[1].decode(), int(match[2]))


def unpack_repository(
    archive: Path, patterns: Sequence[str], folder: Path, any_size: bool = False
) -> list[Pointer]:
    """Write the files of a repository that match, and tell which recordings they need besides.

    Args:
        archive: Zip with one folder at the top, as the host makes it.
        patterns: Such as `AudioWAV/*`; `*` spans folders.
        folder: Where to.
        any_size: Whether the archive may unpack to any size.

    Raises:
        BadInput: The archive is broken, or holds what `list_files` refuses.
    """

    def wanted(name: str) -> bool:
        return any(fnmatchcase(name.partition("/")[2], pattern) for pattern in patterns)

    pointers = []
    with open_zip(archive) as opened:
        for info in list_files(opened, wanted, any_size):
            path = info.filename.partition("/")[2]
            content = opened.read(info)
            if pointer := parse_pointer(path, content):
                pointers.append(pointer)
            elif not is_intact(folder / path, info.file_size, info.CRC):
                with atomic_path(folder / path) as temporary:
                    temporary.write_bytes(content)
    return pointers


def missing(pointers: Sequence[Pointer], folder: Path, verify: bool) -> list[Pointer]:
    """Those whose files are not there with the right size, and with `verify` the right SHA-256."""

    def is_there(pointer: Pointer) -> bool:
        path = folder / pointer.path
        return is_intact(path, pointer.size) and not (verify and file_digest(path) != pointer.oid)

    return [pointer for pointer in pointers if not is_there(pointer)]


def fetch_recordings(
    servers: Sequence[str],
    pointers: Sequence[Pointer],
    folder: Path,
    progress: Callable[[int, int | None], None],
) -> None:
    """Download recordings; each is checked against its pointer.

    Args:
        servers: Addresses that end in `/info/lfs`.
        pointers: What to fetch; wrong files in their places are replaced.
        folder: Where to.
        progress: Called with the bytes done and in total.

    Raises:
        AffuseError: No server has a recording.
        BadInput: The bytes of a recording are others than those that its pointer tells.
    """
    done, total = 0, sum(pointer.size for pointer in pointers)

    def fetch(pointer: Pointer, action: dict[str, Any]) -> int:
        path, headers = folder / pointer.path, action.get("header") or {}
        path.unlink(missing_ok=True)
        download(action["href"], path, size=pointer.size, sha256=pointer.oid, headers=headers)
        return pointer.size

    with ThreadPoolExecutor(WORKERS) as pool:
        for start in range(0, len(pointers), BATCH):
            batch = pointers[start : start + BATCH]
            for size in pool.map(fetch, batch, _locate(servers, batch)):
                done += size
                progress(done, total)


def _locate(servers: Sequence[str], pointers: Sequence[Pointer]) -> list[dict[str, Any]]:
    """The download action of each pointer, from the first server that has all of them."""
    problems = []
    for server in servers:
        try:
            return _ask(server, pointers)
        except AffuseError as error:
            problems.append(str(error))
    raise AffuseError("; ".join(problems))


def _ask(server: str, pointers: Sequence[Pointer]) -> list[dict[str, Any]]:
    answer = post_json(
        f"{server}/objects/batch",
        {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": pointer.oid, "size": pointer.size} for pointer in pointers],
        },
        {"Accept": _JSON, "Content-Type": _JSON},
    )
    try:
        told = {item["oid"]: item for item in answer["objects"]}
        for pointer in pointers:
            if "error" in told[pointer.oid]:
                problem = told[pointer.oid]["error"]
                raise AffuseError(
                    f"{server}: {pointer.path}: {problem['code']} {problem['message']}"
                )
        return [told[pointer.oid]["actions"]["download"] for pointer in pointers]
    except (KeyError, TypeError) as error:
        raise AffuseError(f"{server}: does not answer as the Git LFS batch API does") from error
