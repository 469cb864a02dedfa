"""Several stores as one: what is done with the clips of a store is done with those of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from affuse.corpora.together import TOGETHER, among_others
from affuse.errors import AffuseError, BadInput
from affuse.features.extractor import check_same_stream
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.features.stream_file import StreamFile


def open_stores(paths: Path | Sequence[Path]) -> Store:
    """A store, or several as one.

    Args:
        paths: Folders that `prepare` made; their order does not matter.

    Raises:
        BadInput: One is no such folder, or they do not go together.
    """
    paths = [paths] if isinstance(paths, Path) else list(paths)
    return Store(paths[0]) if len(paths) == 1 else JoinedStore(paths)


class JoinedStore(Store):
    """Stores of different corpora, in the order of their names.

    Args:
        paths: Of the stores.

    Attributes:
        stores: Corpus -> store.

    Raises:
        BadInput: Two are of one corpus, or one has continuous valence and arousal.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        stores = sorted(map(Store, paths), key=lambda store: store.corpus)
        for one, other in pairwise(stores):
            if one.corpus == other.corpus:
                raise BadInput(other.path, f"is a store of {one.corpus}, and so is {one.path}")
        for store in stores:
            if store.task != "classification":
                raise BadInput(store.path, "has no classes; several stores need classes")
        self.stores = {store.corpus: store for store in stores}
        self.path = Path(" and ".join(str(store.path) for store in stores))
        self.corpus = TOGETHER.join(self.stores)
        self.task = stores[0].task
        self.classes = list(dict.fromkeys(name for store in stores for name in store.classes))
        self.licence = "; ".join(f"{name}: {store.licence}" for name, store in self.stores.items())
        self.changes = [f"{s.corpus}: {change}" for s in stores for change in s.changes]
        self.clips = [
            among_others(clip, name) for name, s in self.stores.items() for clip in s.clips
        ]
        self.stream = lru_cache(maxsize=None)(self._open)

    def has(self, name: str) -> bool:
        """Whether a stream was prepared in all stores."""
        return all(store.has(name) for store in self.stores.values())

    def networks(self, streams: Sequence[str]) -> dict[str, Path]:
        """As of a store; each is taken from the last store that keeps it."""
        found: dict[str, Path] = {}
        for store in self.stores.values():
            found |= store.networks(streams)
        return found

    def _open(self, name: str) -> StreamFile:
        files = {corpus: store.stream(name) for corpus, store in self.stores.items()}
        first, *others = files.values()
        for file in others:
            try:
                check_same_stream(file.spec, first.spec, f"that of {first.path} is made")
            except AffuseError as error:
                raise BadInput(file.path, f"{error}; prepare both alike") from error
        return JoinedFile(self.path, files)


class JoinedFile(StreamFile):
    """One stream of the clips of several stores.

    Args:
        path: Of the stores, for messages.
        files: Corpus -> its file, all made alike.
    """

    def __init__(self, path: Path, files: Mapping[str, StreamFile]) -> None:
        self.path, self._files = path, files
        self.spec = next(iter(files.values())).spec
        self.made_from = dict(self._all("made_from"))
        self.seconds = dict(self._all("seconds"))
        self.notes = dict(self._all("notes"))
        self.broken = dict(self._all("broken"))
        self.folds = dict(self._all("folds"))

    def _all(self, facts: str) -> Iterator[tuple[str, Any]]:
        for corpus, file in self._files.items():
            for clip, fact in getattr(file, facts).items():
                yield f"{corpus}/{clip}", fact

    def _part(self, clip: str) -> tuple[StreamFile, str]:
        """The file of a clip, and what it calls the clip."""
        corpus, _, name = clip.partition("/")
        return self._files[corpus], name

    @property
    def checked(self) -> bool:
        """Whether all files have checksums."""
        return all(file.checked for file in self._files.values())

    @property
    def clips(self) -> list[str]:
        """The clips in their order."""
        return [f"{corpus}/{clip}" for corpus, file in self._files.items() for clip in file.clips]

    def __contains__(self, clip: str) -> bool:
        return clip in self.made_from

    def __getitem__(self, clip: str) -> Stream:
        """As of one file."""
        file, name = self._part(clip)
        return file[name]

    def outline(self, clip: str) -> Stream:
        """As of one file."""
        file, name = self._part(clip)
        return file.outline(name)

    def intact(self, clip: str) -> bool:
        """As of one file."""
        file, name = self._part(clip)
        return file.intact(name)
