"""A store whose streams are changed when they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from affuse.corpora.clip import Clip
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.features.stream_file import StreamFile

#: Spec and stream of a clip -> what takes its place.
StreamChange = Callable[[StreamSpec, Stream], Stream]


class View(Store):
    """Some clips of a store, of which streams are changed when they are read.

    Args:
        data: The store.
        clips: Of it.
        change: What is done to its streams.
    """

    def __init__(self, data: Store, clips: Sequence[Clip], change: StreamChange) -> None:
        self.path, self.corpus, self.classes = data.path, data.corpus, data.classes
        self.licence, self.task, self.changes = data.licence, data.task, data.changes
        self.clips = list(clips)
        self.stream = lru_cache(maxsize=None)(lambda name: _Changed(data.stream(name), change))


class _Changed(StreamFile):
    """A stream of a store, changed when it is read."""

    def __init__(self, file: StreamFile, change: StreamChange) -> None:
        self.path, self.spec, self.seconds = file.path, file.spec, file.seconds
        self._file, self._change = file, change

    def __contains__(self, clip: str) -> bool:
        return clip in self._file

    def __getitem__(self, clip: str) -> Stream:
        return self._change(self.spec, self._file[clip])

    def outline(self, clip: str) -> Stream:
        return self[clip]
