"""The prepared streams of a corpus on disk.

    store.json               corpus, classes, licence, changes of the recordings
    clips.csv                the table of clips
    failures.csv             clips that could not be used, with the reason
    audio/mfcc10.safetensors one file per stream: all clips one after the other
    networks/                small frozen networks that streams were computed with

What a stream file holds: `affuse.features.stream_file`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from affuse.corpora.clip import Clip
from affuse.corpora.table import read_clips
from affuse.errors import BadInput
from affuse.execution.fields import check_digest
from affuse.execution.files import csv_text, file_digest
from affuse.execution.object_storage import Mirror, mirror_of
from affuse.features.renamed import current_name, earlier_name
from affuse.features.store_index import FORMAT, read_index
from affuse.features.stream_file import StreamFile


class Store:
    """The prepared streams of one corpus.

    Args:
        path: Folder that `prepare` made; of one in object storage files are copied as they are
            read.

    Raises:
        BadInput: It is not such a folder.
    """

    _mirror: Mirror | None = None

    def __init__(self, path: Path) -> None:
        self.path, self._mirror = Path(path), mirror_of(Path(path))
        if self._mirror is not None:
            self.path = self._mirror.folder
            for name in ("store.json", "clips.csv", "failures.csv"):
                self._mirror.fetch(self.path / name)
        index = self.path / "store.json"
        if not index.is_file():
            raise BadInput(self.path, "is not a store (no store.json); make one: affuse prepare")
        try:
            facts = read_index(index)
            version = facts["format"]
            self.corpus: str = facts["corpus"]
            self.classes: list[str] = facts["classes"]
            self.licence: str = facts["licence"]
            self.task: str = facts.get("task", "classification")
            #: What was done to the recordings before the streams were made; see `media.changes`.
            self.changes: list[str] = facts.get("changes", [])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(index, f"is damaged ({error}); prepare it again") from error
        if version != FORMAT:
            raise BadInput(index, f"has format {version}; this affuse reads format {FORMAT}")
        clips = self.path / "clips.csv"
        self.clips = read_clips(clips)
        if facts.get("clips") and file_digest(clips) not in facts["clips"]:
            raise BadInput(clips, "is not what was written; prepare it again")
        self.stream = lru_cache(maxsize=None)(self._open)

    def has(self, name: str) -> bool:
        """Whether a stream was prepared."""
        return self._is_there(self._place(name))

    def networks(self, streams: Sequence[str]) -> dict[str, Path]:
        """Digest -> model file of the frozen networks of streams, as far as `prepare` kept them."""
        digests = [self.stream(name).spec.recipe.get("weights") for name in streams]
        files = {digest: network_path(self.path, digest) for digest in digests if digest}
        there = {digest: path for digest, path in files.items() if self._is_there(path)}
        for digest, path in there.items():
            self._fetch(path)
            if not file_digest(path).startswith(digest):
                raise BadInput(path, "is damaged (its SHA-256 is not its name); prepare it again")
        return there

    def _place(self, name: str) -> Path:
        """The file of a stream, which may have the name that another version of affuse gave it."""
        names = dict.fromkeys((name, current_name(name), earlier_name(name)))
        paths = [stream_path(self.path, one) for one in names]
        return next((path for path in paths if self._is_there(path)), paths[0])

    def _is_there(self, path: Path) -> bool:
        return path.is_file() or (self._mirror is not None and self._mirror.has(path))

    def _fetch(self, path: Path) -> None:
        if self._mirror is not None:
            self._mirror.fetch(path)

    def _open(self, name: str) -> StreamFile:
        path = self._place(name)
        self._fetch(path)
        if not path.is_file():
            raise BadInput(
                self.path, f"has no stream {name}; add it: affuse prepare ... --streams {name}"
            )
        file = StreamFile(path)
        file.spec = replace(file.spec, name=name)
        return file

    def digest(self, streams: Sequence[str]) -> str:
        """SHA-256 that tells what the store is about and what these streams hold."""
        parts = [file_digest(self.path / "store.json")]
        parts += [self.stream(name).digest for name in sorted(streams)]
        return hashlib.sha256("".join(parts).encode()).hexdigest()

    def usable(self, streams: Sequence[str]) -> list[Clip]:
        """The clips that have all these streams computed and something present in one of them."""
        files = [self.stream(name) for name in streams]
        return [
            clip
            for clip in self.clips
            if all(clip.id in file for file in files)
            and any(file.outline(clip.id).mask.any() for file in files)
        ]


def read_failures(store: Path) -> list[tuple[str, str, str]]:
    """(clip id, stream, reason) of the clips that could not be used."""
    path = store / "failures.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [
        (csv_text(row["clip"]), csv_text(row["stream"]), csv_text(row["reason"])) for row in rows
    ]


def stream_path(store: Path, name: str) -> Path:
    """Where a store keeps a stream."""
    return store / f"{name}.safetensors"


def network_path(store: Path, digest: str) -> Path:
    """Where a store keeps a frozen network that streams were computed with.

    Raises:
        BadInput: That is no digest, and could be any path.
    """
    try:
        check_digest("the digest of a network", digest)
    except ValueError as error:
        raise BadInput(store, str(error)) from error
    return store / "networks" / f"{digest}.safetensors"
