"""A corpus into a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affuse.corpora.fetching.archives import check_zip, is_intact, unpack
from affuse.corpora.fetching.lfs import fetch_recordings, missing, unpack_repository
from affuse.corpora.fetching.manifest import Archive, Manifest, Part, Repository
from affuse.errors import BadInput
from affuse.execution.download import download
from affuse.execution.files import write_json
from affuse.execution.progress import byte_progress

RECORD = "fetched.json"
#: (archive, folder, whether to any size) -> file in the folder -> size in bytes and CRC-32.
Unpack = Callable[[Path, Path, bool], dict[str, tuple[int, int]]]


def fetch(
    manifest: Manifest,
    parts: Sequence[Part],
    out: Path,
    *,
    keep_archives: bool = False,
    verify: bool = False,
    any_size: bool = False,
    say: Callable[[str], None],
    unpack: Unpack = unpack,
) -> None:
    """Fetch and unpack; what is there already is kept, and an interrupted call can be repeated.

    `fetched.json` in the folder records each archive with its address, size, SHA-256, time and
    files. A later download of an archive must have the recorded SHA-256.

    Args:
        manifest: Of the corpus.
        parts: Which parts of it.
        out: The folder of the corpus.
        keep_archives: Leave archives in the folder after they are unpacked.
        verify: Compare checksums, not only sizes, of the files that are there.
        any_size: Unpack archives to any size; by default to 20 times theirs at most.
        say: Called with a line per archive.
        unpack: Makes files of an archive, see `affuse.corpora.fetching.archives.unpack`.

    Raises:
        AffuseError: A server refuses or cannot be reached.
        BadInput: What arrives is not what was published or recorded, or is broken.
    """
    folder = _Folder(Path(out), keep_archives, verify, any_size, say, unpack)
    for archive in (archive for part in parts for archive in part.archives):
        folder.add_archive(archive)
    if manifest.lfs is not None:
        folder.add_repository(manifest.lfs, [name for part in parts for name in part.members])


@dataclass(frozen=True)
class _Folder:
    out: Path
    keep_archives: bool
    verify: bool
    any_size: bool
    say: Callable[[str], None]
    unpack: Unpack

    def add_archive(self, archive: Archive) -> None:
        known = self._record().get(archive.name)
        if known is not None:
            broken = [
                name
                for name, (size, crc) in known["files"].items()
                if not is_intact(self.out / name, size, crc if self.verify else None)
            ]
            if not broken:
                self.say(f"{archive.name}: its {len(known['files'])} files are there")
                return
            for name in broken:
                (self.out / name).unlink(missing_ok=True)
        path = self.out / archive.name
        with byte_progress(archive.name) as progress:
            sha256 = download(
                archive.url,
                path,
                size=archive.size,
                sha256=archive.sha256 or (known["sha256"] if known else None),
                md5=archive.md5,
                progress=progress,
            )
        if archive.sha256 is None and archive.md5 is None:
            check_zip(path, self.any_size)
        files = self.unpack(path, self.out, self.any_size)
        self._finish(path, archive.url, sha256, files=files)
        published = "published" if archive.sha256 else "not published"
        if archive.md5:
            published += ", the MD5 is as published"
        self.say(f"{archive.name}: {len(files)} files; SHA-256 {sha256} ({published})")

    def add_repository(self, repository: Repository, patterns: Sequence[str]) -> None:
        path = self.out / "repository.zip"
        with byte_progress("list of recordings") as progress:
            sha256 = download(repository.archive, path, progress=progress)
        check_zip(path, self.any_size)
        pointers = unpack_repository(path, patterns, self.out, self.any_size)
        absent = missing(pointers, self.out, self.verify)
        size = sum(pointer.size for pointer in absent)
        self.say(
            f"{len(pointers) - len(absent)} of {len(pointers)} recordings are there"
            + (f"; {len(absent)} to fetch, {size / 1e6:,.1f} MB" if absent else "")
        )
        with byte_progress("recordings") as progress:
            fetch_recordings(repository.servers, absent, self.out, progress)
        self._finish(path, repository.archive, sha256)

    def _record(self) -> dict[str, Any]:
        path = self.out / RECORD
        try:
            entries: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
        except ValueError as error:
            raise BadInput(path, f"is not JSON ({error})") from error
        return entries

    def _finish(self, archive: Path, url: str, sha256: str, **facts: Any) -> None:
        entry = {
            "url": url,
            "size": archive.stat().st_size,
            "sha256": sha256,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(self.out / RECORD, self._record() | {archive.name: entry | facts})
        if not self.keep_archives:
            archive.unlink()
