"""The prepared streams of a corpus on disk.

    store.json               corpus, classes, licence, changes of the recordings
    clips.csv                the table of clips
    failures.csv             clips that could not be used, with the reason
    audio/mfcc10.safetensors one file per stream: all clips one after the other
    networks/                small frozen networks that streams were computed with

A stream file holds `values` (sum of T, ...), `mask` (sum of T,), `offset` (clips + 1,) and `start`
(clips,) in seconds; its metadata holds the spec and the clip ids. Any safetensors reader opens it.
Values and mask of every clip, and the rest of the file, have checksums (`affuse check --store`).
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.table import read_clips, write_clips
from affuse.errors import BadInput
from affuse.execution.fields import check_digest
from affuse.execution.files import atomic_path, csv_text, file_digest, write_json
from affuse.execution.object_storage import Mirror, local, mirror_of
from affuse.features.archive import open_archive
from affuse.features.renamed import current_name, earlier_name
from affuse.features.stream import Stream, StreamSpec

FORMAT = 1
_KEYS = {"format", "corpus", "task", "classes", "licence", "clips", "changes"}


class StreamFile:
    """One stream of all clips of a store, memory-mapped.

    What a clip holds is compared with its checksum when it is first read. Files that were written
    before there were checksums are read as they are.

    Args:
        path: The file.

    Raises:
        BadInput: The file is absent or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._archive = open_archive(path, later=("values", "mask"))
        arrays, metadata = self._archive.arrays, self._archive.metadata
        try:
            self.spec = StreamSpec.from_json(metadata["spec"])
            # views of the maps, lists and a byte per clip: what a read costs beside its copy
            self._values, self._mask = np.asarray(arrays["values"]), np.asarray(arrays["mask"])
            offset, start = np.array(arrays["offset"]), np.array(arrays["start"])
            self._first, self._start = offset.tolist(), start.tolist()
            self._rows = {clip: row for row, clip in enumerate(metadata["clips"])}
            #: Clip -> what its files were when the stream was made.
            self.made_from: dict[str, str] = dict(
                zip(metadata["clips"], metadata["made_from"], strict=True)
            )
            #: Clip -> what of it could not be used, or was put right.
            self.notes: dict[str, list[str]] = metadata.get("notes", {})
            #: Clip -> why it could not be decoded, so that it is absent.
            self.broken: dict[str, str] = metadata.get("broken", {})
            #: Clip -> its length in seconds, where it is a recording.
            self.seconds: dict[str, float] = metadata.get("seconds", {})
            #: Clip -> which part of the clips the model that scored it was not trained on.
            self.folds: dict[str, str] = metadata.get("folds", {})
        except (KeyError, TypeError) as error:
            raise BadInput(path, f"lacks parts of a stream ({error}); prepare it again") from error
        except ValueError as error:
            raise BadInput(path, f"is damaged ({error}); prepare it again") from error
        if wrong := self._wrong(len(metadata["clips"]), offset, start):
            raise BadInput(path, f"is damaged ({wrong}); prepare it again")
        self._known = bytearray(len(self._rows))

    def _wrong(self, clips: int, offset: np.ndarray, start: np.ndarray) -> str:
        """What does not go together; nothing where all does."""
        spec, arrays = self.spec, self._archive.arrays
        kinds: dict[str, tuple[str, tuple[int, ...]]] = {
            "offset": ("int64", (clips + 1,)),
            "start": ("float64", (clips,)),
        }
        total = int(offset[-1]) if offset.shape == (clips + 1,) else 0
        kinds |= {"values": (spec.dtype, (total, *spec.shape)), "mask": ("bool", (total,))}
        if len(self._rows) != clips or {*arrays} != {*kinds}:
            return "two clips of one name" if len(self._rows) != clips else "arrays of no stream"
        for name, (dtype, shape) in kinds.items():
            if arrays[name].dtype != dtype or arrays[name].shape != shape:
                return f"{name} is {arrays[name].dtype} {arrays[name].shape}, not {dtype} {shape}"
        if offset[0] != 0 or (np.diff(offset) < 0).any():
            return "its clips do not lie one after the other"
        if not np.isfinite(start).all():
            return "a clip does not begin at a number of seconds"
        return ""

    @property
    def digest(self) -> str:
        """SHA-256 that tells the content, as far as the file has checksums."""
        return self._archive.digest

    @property
    def checked(self) -> bool:
        """Whether the file has checksums."""
        return self._archive.checked

    @property
    def clips(self) -> list[str]:
        """The clips in their order."""
        return list(self._rows)

    def __contains__(self, clip: str) -> bool:
        return clip in self._rows

    def __getitem__(self, clip: str) -> Stream:
        """The stream of a clip.

        Raises:
            BadInput: It is not what was written.
        """
        row = self._rows[clip]
        if not self._known[row]:
            self._check("values", clip)
            self._check("mask", clip)
            self._known[row] = True
        return self._stream(row)

    def outline(self, clip: str) -> Stream:
        """The same for its length and its mask: the values are not compared with their checksum.

        Raises:
            BadInput: The mask is not what was written.
        """
        self._check("mask", clip)
        return self._stream(self._rows[clip])

    def _stream(self, row: int) -> Stream:
        part = slice(self._first[row], self._first[row + 1])
        return Stream(self._values[part], self._mask[part], self._start[row])

    def intact(self, clip: str) -> bool:
        """Whether a clip is what was written."""
        row = self._rows[clip]
        return all(self._archive.intact(name, row) for name in ("values", "mask"))

    def _check(self, name: str, clip: str) -> None:
        if not self._archive.intact(name, self._rows[clip]):
            reason = f"clip {clip} is damaged (its {name} are not those that were written)"
            raise BadInput(self.path, f"{reason}; prepare it again")


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
            facts = _read_index(index)
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


def write_index(store: Path, corpus: Corpus, changes: Sequence[str] = ()) -> None:
    """Write what a store is about.

    The index has the digest of the table of clips, and while that is replaced those of both.

    Args:
        store: Folder.
        corpus: What it holds.
        changes: Of the recordings.

    Raises:
        BadInput: The folder is already the store of another corpus, or of other changes.
    """
    index, table = store / "store.json", store / "clips.csv"
    if index.is_file():
        try:
            there = json.loads(index.read_text(encoding="utf-8"))
            other, before = there["corpus"], there.get("changes", [])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(index, f"is damaged ({error}); prepare into a new folder") from error
        if other != corpus.name:
            raise BadInput(store, f"is a store of corpus {other}, not of {corpus.name}")
        if before != [*changes]:
            said = " and ".join(before) or "nothing"
            raise BadInput(store, f"is a store of recordings with {said} changed")
    facts = {
        "format": FORMAT,
        "corpus": corpus.name,
        "task": corpus.task,
        "classes": list(corpus.classes),
        "licence": corpus.licence,
        **({"changes": [*changes]} if changes else {}),
    }
    with atomic_path(table) as temporary:
        write_clips(temporary, corpus.clips, corpus.root)
        digests = [file_digest(temporary)]
        if table.is_file():
            _write_index(index, facts, [*digests, file_digest(table)])
    _write_index(index, facts, digests)


def _write_index(index: Path, facts: dict[str, Any], clips: list[str]) -> None:
    facts = facts | {"clips": clips}
    write_json(index, facts | {"digest": _digest(facts)})


def _read_index(index: Path) -> dict[str, Any]:
    """The index; older ones have no digests.

    Raises:
        ValueError: It is not what was written.
    """
    facts: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
    digest = facts.pop("digest", None)
    if unknown := {*facts} - _KEYS:
        raise ValueError(f"unknown {min(unknown)}")
    if ("clips" in facts) != (digest is not None) or (digest and digest != _digest(facts)):
        raise ValueError("it is not what was written")
    return facts


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def damages(store: Path) -> tuple[list[str], list[str]]:
    """What in a store is not what was written; all of it is read.

    Returns:
        One line for each damage, and the names of the streams that have no checksums.

    Raises:
        BadInput: It is not a store.
    """
    store = local(Path(store))
    damaged: list[str] = []
    unchecked: list[str] = []
    try:
        Store(store)
    except BadInput as error:
        if not (store / "store.json").is_file():
            raise
        damaged.append(str(error))
    for path in sorted(store.rglob("*.safetensors")):
        name = path.relative_to(store).with_suffix("").as_posix()
        folder = name.split("/", 1)[0]
        if folder == "networks" and not file_digest(path).startswith(path.stem):
            damaged.append(f"{path}: is damaged (its SHA-256 is not its name)")
        if folder in ("networks", "parts") or path.name.startswith("."):
            continue
        try:
            file = StreamFile(path)
        except BadInput as error:
            damaged.append(str(error))
            continue
        damaged += [f"{path}: clip {k} is damaged" for k in file.clips if not file.intact(k)]
        if not file.checked:
            unchecked.append(name)
    return damaged, unchecked
