"""The prepared streams of a corpus on disk.

    store.json               corpus, classes, licence
    clips.csv                the table of clips
    failures.csv             clips that could not be used, with the reason
    audio/mfcc10.safetensors one file per stream: all clips one after the other
    networks/                small frozen networks that streams were computed with

A stream file holds `values` (sum of T, ...), `mask` (sum of T,), `offset` (clips + 1,) and `start`
(clips,) in seconds; its metadata holds the spec and the clip ids. Any safetensors reader opens it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.table import read_clips, write_clips
from affuse.errors import BadInput
from affuse.execution.files import csv_text, write_json
from affuse.features.archive import read_archive
from affuse.features.stream import Stream, StreamSpec

FORMAT = 1


class StreamFile:
    """One stream of all clips of a store, memory-mapped.

    Args:
        path: The file.

    Raises:
        BadInput: The file is absent or damaged.
    """

    def __init__(self, path: Path) -> None:
        arrays, metadata = read_archive(path)
        try:
            self.spec = StreamSpec.from_json(metadata["spec"])
            self._values, self._mask = arrays["values"], arrays["mask"]
            self._offset, self._start = np.array(arrays["offset"]), np.array(arrays["start"])
            self._rows = {clip: row for row, clip in enumerate(metadata["clips"])}
            #: Clip -> what its files were when the stream was made.
            self.made_from: dict[str, str] = dict(
                zip(metadata["clips"], metadata["made_from"], strict=True)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(path, f"lacks parts of a stream ({error}); prepare it again") from error

    def __contains__(self, clip: str) -> bool:
        return clip in self._rows

    def __getitem__(self, clip: str) -> Stream:
        row = self._rows[clip]
        part = slice(self._offset[row], self._offset[row + 1])
        return Stream(self._values[part], self._mask[part], float(self._start[row]))


class Store:
    """The prepared streams of one corpus.

    Args:
        path: Folder that `prepare` made.

    Raises:
        BadInput: It is not such a folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        index = self.path / "store.json"
        if not index.is_file():
            raise BadInput(self.path, "is not a store (no store.json); make one: affuse prepare")
        try:
            facts = json.loads(index.read_text(encoding="utf-8"))
            version = facts["format"]
            self.corpus: str = facts["corpus"]
            self.classes: list[str] = facts["classes"]
            self.licence: str = facts["licence"]
            self.task: str = facts.get("task", "classification")
        except (ValueError, KeyError) as error:
            raise BadInput(index, f"is damaged ({error})") from error
        if version != FORMAT:
            raise BadInput(index, f"has format {version}; this affuse reads format {FORMAT}")
        self.clips = read_clips(self.path / "clips.csv")
        self.stream = lru_cache(maxsize=None)(self._open)

    def has(self, name: str) -> bool:
        """Whether a stream was prepared."""
        return stream_path(self.path, name).is_file()

    def networks(self, streams: Sequence[str]) -> dict[str, Path]:
        """Digest -> model file of the frozen networks of streams, as far as `prepare` kept them."""
        digests = [self.stream(name).spec.recipe.get("weights") for name in streams]
        files = {digest: network_path(self.path, digest) for digest in digests if digest}
        return {digest: path for digest, path in files.items() if path.is_file()}

    def _open(self, name: str) -> StreamFile:
        path = stream_path(self.path, name)
        if not path.is_file():
            raise BadInput(
                self.path, f"has no stream {name}; add it: affuse prepare ... --streams {name}"
            )
        return StreamFile(path)

    def usable(self, streams: Sequence[str]) -> list[Clip]:
        """The clips that have all these streams computed and something present in one of them."""
        files = [self.stream(name) for name in streams]
        return [
            clip
            for clip in self.clips
            if all(clip.id in file for file in files)
            and any(file[clip.id].mask.any() for file in files)
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
    """Where a store keeps a frozen network that streams were computed with."""
    return store / "networks" / f"{digest}.safetensors"


def write_index(store: Path, corpus: Corpus) -> None:
    """Write what a store is about.

    Raises:
        BadInput: The folder is already the store of another corpus.
    """
    index = store / "store.json"
    if index.is_file() and (other := Store(store).corpus) != corpus.name:
        raise BadInput(store, f"is a store of corpus {other}, not of {corpus.name}")
    facts = {
        "format": FORMAT,
        "corpus": corpus.name,
        "task": corpus.task,
        "classes": list(corpus.classes),
        "licence": corpus.licence,
    }
    write_clips(store / "clips.csv", corpus.clips, corpus.root)
    write_json(index, facts)
