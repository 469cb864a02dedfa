"""Stores of changed recordings of the clips that a surface is measured on."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import (
    Rated,
    create_extractor,
    imported_streams,
    pattern_of,
    source_of,
)
from affuse.features.extractor import Extractor, check_same_stream
from affuse.features.joined import JoinedStore
from affuse.features.overlaid import OverlaidStore
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import StreamSpec
from affuse.media.changes.registry import Change


def is_imported(spec: StreamSpec) -> bool:
    """Whether a stream was read from files, so that its recordings cannot be changed."""
    return pattern_of(spec.name) in imported_streams() and "weights" not in spec.recipe


class ChangedStores:
    """Makes stores of changed recordings.

    Args:
        data: The store of the recordings as they are.
        clips: Those that are wanted.
        streams: Of the models, by name.
        root: Where the corpus lies.
        folder: Where the stores are made, one for each change.
        sources: Where networks of frozen streams are that the store does not keep.
        workers: Processes.

    Attributes:
        clips: With the paths of their recordings.

    Raises:
        BadInput: The recordings are not there.
        AffuseError: The store is of several corpora, or of changed recordings.
    """

    def __init__(
        self,
        data: Store,
        clips: Sequence[Clip],
        streams: Mapping[str, StreamSpec],
        root: Path,
        folder: Path,
        sources: Mapping[str, Path | Rated],
        workers: int = 1,
    ) -> None:
        if isinstance(data, JoinedStore):
            raise AffuseError("recordings are changed of one corpus; name one store: --store")
        if data.changes:
            raise AffuseError(
                f"{data.path} is of changed recordings ({', '.join(data.changes)}); name "
                "the store of the recordings as they are"
            )
        self._data, self._folder, self._workers = data, folder, workers
        self._streams, self._sources = dict(streams), dict(sources)
        self._root = root
        self.clips = [self._placed(clip) for clip in clips]
        self._extractors: dict[str, Extractor] = {}
        for clip in self.clips:
            for path in (clip.video, clip.audio):
                if path is not None and not path.is_file():
                    raise BadInput(root, f"lacks {path}; is it the root of {data.corpus}?")

    def _placed(self, clip: Clip) -> Clip:
        """A clip with its files where the corpus lies."""

        def there(path: Path | None) -> Path | None:
            return None if path is None else self._root / path

        return replace(
            clip, video=there(clip.video), audio=there(clip.audio), images=there(clip.images)
        )

    def touched(self, change: Change) -> list[Extractor]:
        """What makes the streams that a change touches.

        Raises:
            AffuseError: One cannot be made of the recordings as it was.
        """
        return [self._extractor(name) for name in self._streams if change.touches(name)]

    def _extractor(self, name: str) -> Extractor:
        if name not in self._extractors:
            spec = self._data.stream(name).spec
            if is_imported(spec):
                raise AffuseError(
                    f"stream {name} is imported: what it was made of cannot be changed here"
                )
            known = self._data.networks([name])
            if source_of(name, self._sources) is None and known:
                self._sources[name] = known[spec.recipe["weights"]]
            if "weights" in spec.recipe and source_of(name, self._sources) is None:
                raise AffuseError(
                    f"{self._data.path} does not keep the network of stream {name}; say where it "
                    f"is: --source {name}=PATH"
                )
            made = create_extractor(name, self._sources, self._data.classes)
            check_same_stream(made.spec, spec, f"that of {self._data.path} is made")
            if not any(made.sources(clip) for clip in self.clips):
                raise AffuseError(f"{self._root} holds no recordings to make {name} of")
            self._extractors[name] = made
        return self._extractors[name]

    def opened(self, change: Change) -> Store:
        """The streams of the clips after a change, those that it does not touch as they were."""
        folder = self._folder / str(change)
        clips = {clip.id: clip for clip in self.clips}
        if (folder / "store.json").is_file():  # of another model, with other test clips
            clips = {clip.id: self._placed(clip) for clip in Store(folder).clips} | clips
        data = self._data
        corpus = Corpus(
            data.corpus,
            self._root,
            [clips[name] for name in sorted(clips)],
            tuple(data.classes),
            data.licence,
            data.task,
        )
        extractors = self.touched(change)
        prepare(corpus, folder, extractors, self._workers, [change], for_training=False)
        return OverlaidStore(data, Store(folder))

    def remove(self, change: Change) -> None:
        """Remove the store of a change, if there is one."""
        shutil.rmtree(self._folder / str(change), ignore_errors=True)
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()
