"""Folders in object storage (`s3://BUCKET/FOLDER`), read through copies on this machine's disk.

The copies lie in `AFFUSE_CACHE`, by default `~/.cache/affuse`, and keep size and time of what they
are copies of: a file is copied again where one of them differs. Nothing is written to the storage.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from affuse.errors import AffuseError, BadInput
from affuse.execution.files import atomic_path, is_remote, write_json
from affuse.execution.progress import progress
from affuse.extras import need

CACHE = "AFFUSE_CACHE"
#: In the copy of a folder: where it is from, and what is in it.
_LISTING = ".remote.json"
#: Variables by which credentials, or that none are needed, are told.
_CREDENTIALS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SKIP_SIGNATURE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
_PATIENCE = timedelta(seconds=20)


@dataclass(frozen=True)
class Mirror:
    """A folder in object storage, and the folder that holds copies of its files.

    Args:
        remote: Such as `s3:/bucket/folder`, as a path holds it.
        folder: Of the copies.
        files: Name in the folder -> bytes, and time in seconds.
    """

    remote: Path
    folder: Path
    files: dict[str, tuple[int, float]]

    def has(self, path: Path) -> bool:
        """Whether there is a file of which a path would be the copy."""
        return self._name(path) in self.files

    def fetch(self, path: Path) -> Path:
        """Have a copy at a path, where there is such a file; returns the path."""
        name = self._name(path)
        if name not in self.files:
            return path
        size, time = self.files[name]
        if path.is_file() and (path.stat().st_size, path.stat().st_mtime) == (size, time):
            return path
        with _said(self.remote / name), atomic_path(path) as temporary:
            with temporary.open("wb") as file:
                for chunk in _storage(self.remote).get(_key(self.remote, name)).stream():
                    file.write(chunk)
            os.utime(temporary, (time, time))
        return path

    def whole(self) -> Path:
        """Have copies of all files, and of nothing else; returns their folder."""
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            if not self.has(path) and path.name != _LISTING:
                path.unlink()
        for name in progress(self.files, str(self.folder.name)):
            self.fetch(self.folder / name)
        return self.folder

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def mirror_of(path: Path) -> Mirror | None:
    """The mirror of a folder in object storage, or that whose copies a path holds; else None.

    Raises:
        AffuseError: The extra is missing, or there are no credentials.
        BadInput: There is no such bucket or folder, or it cannot be read.
    """
    listing = path / _LISTING
    if is_remote(path):
        return _listed(path)
    if not listing.is_file():
        return None
    try:
        facts = json.loads(listing.read_text(encoding="utf-8"))
        return Mirror(Path(facts["remote"]), path, {n: tuple(x) for n, x in facts["files"].items()})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(listing, f"is damaged ({error}); remove {path}") from error


def local(path: Path) -> Path:
    """A path as it is, or the folder with copies of all files of one in object storage."""
    mirror = mirror_of(path) if is_remote(path) else None
    return path if mirror is None else mirror.whole()


def _listed(remote: Path) -> Mirror:
    files: dict[str, tuple[int, float]] = {}
    above = PurePosixPath(*remote.parts[2:])
    with _said(remote):
        for some in _storage(remote).list(str(above) if above.parts else None):
            for found in some:
                name = PurePosixPath(found["path"]).relative_to(above)
                files[str(name)] = (found["size"], found["last_modified"].timestamp())
    if not files:
        raise BadInput(remote, "no such folder in the bucket, or nothing in it")
    digest = hashlib.sha256(str(remote).encode()).hexdigest()[:12]
    cache = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "affuse")
    mirror = Mirror(remote, cache / f"{remote.name}-{digest}", files)
    write_json(mirror.folder / _LISTING, {"remote": str(remote), "files": files})
    return mirror


def _key(remote: Path, name: str) -> str:
    return str(PurePosixPath(*remote.parts[2:]) / name)


def _storage(remote: Path) -> Any:
    """The bucket, by obstore; credentials and endpoint are those of the environment."""
    from obstore.store import S3Store

    if len(remote.parts) < 2:
        raise AffuseError("s3://: expected s3://BUCKET/FOLDER")
    if not any(os.environ.get(name) for name in _CREDENTIALS):
        raise BadInput(
            remote,
            "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
            "AWS_SKIP_SIGNATURE=true for a public bucket",
        )
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    return S3Store(
        remote.parts[1],
        client_options={"allow_http": endpoint.startswith("http://")},
        retry_config={"max_retries": 5, "retry_timeout": _PATIENCE},
    )


@contextmanager
def _said(remote: Path) -> Iterator[None]:
    """What a storage refuses, in one line."""
    need("cloud", "s3://")
    from obstore import exceptions

    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(remote, _reason(error)) from error
    except exceptions.BaseError as error:
        raise BadInput(remote, _reason(error)) from error


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split())
    known = {
        "NoSuchBucket": "no such bucket",
        "NoSuchKey": "no such file",
        "InvalidAccessKeyId": "the credentials are not known there",
        "SignatureDoesNotMatch": "the credentials are not known there",
        "AccessDenied": "the credentials do not allow to read it",
        "error sending request": "the storage cannot be reached (AWS_ENDPOINT_URL, AWS_REGION)",
        "403": "the credentials do not allow to read it",
    }
    return next((said for word, said in known.items() if word in text), text[:200])
