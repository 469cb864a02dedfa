"""A store some of whose streams are those of changed recordings."""

from __future__ import annotations

import numpy as np

from affuse.features.extractor import check_same_stream
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.features.stream_file import StreamFile


class OverlaidStore(Store):
    """A store whose clips have streams of a store of changed recordings, where that has them.

    Of a clip that was changed, a stream of which nothing is left is absent for as long as it was.

    Args:
        data: The store.
        changed: Of some of its clips, with some of its streams.

    Raises:
        AffuseError: A stream is made in another way.
    """

    def __init__(self, data: Store, changed: Store) -> None:
        super().__init__(data.path)
        self._data, self._changed = data, changed

    def _open(self, name: str) -> StreamFile:
        file = self._data.stream(name)
        if not self._changed.has(name):
            return file
        changed = self._changed.stream(name)
        check_same_stream(changed.spec, file.spec, f"that of {file.path} is made")
        return _OverlaidFile(file, changed, {clip.id for clip in self._changed.clips})


class _OverlaidFile(StreamFile):
    """One stream of such a store."""

    def __init__(self, file: StreamFile, changed: StreamFile, clips: set[str]) -> None:
        self.path, self.spec, self._file = changed.path, file.spec, file
        self._changed, self._clips = changed, clips
        self.made_from, self.seconds = file.made_from, file.seconds
        self.notes, self.broken, self.folds = changed.notes, changed.broken, file.folds

    @property
    def clips(self) -> list[str]:
        """The clips in their order."""
        return self._file.clips

    def __contains__(self, clip: str) -> bool:
        return clip in self._file

    def __getitem__(self, clip: str) -> Stream:
        """As of one file."""
        file = self._holder(clip)
        return self._absent(clip) if file is None else file[clip]

    def outline(self, clip: str) -> Stream:
        """As of one file."""
        file = self._holder(clip)
        return self._absent(clip) if file is None else file.outline(clip)

    def _holder(self, clip: str) -> StreamFile | None:
        """The file with what there is of a clip; None where nothing is left."""
        if clip not in self._clips:
            return self._file
        changed = self._changed
        return changed if clip in changed and len(changed.outline(clip).mask) else None

    def _absent(self, clip: str) -> Stream:
        before = self._file.outline(clip)
        values = np.zeros((len(before.mask), *self.spec.shape), self.spec.dtype)
        return Stream(values, np.zeros(len(before.mask), bool), before.start)
