"""What every corpus keeps; inherited by one test class per corpus."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.registry import CORPORA, read_corpus
from affuse.errors import BadInput
from affuse.tasks.registry import TASKS


def content_of(root: Path) -> dict[str, str]:
    """Every file below a folder: path -> SHA-256."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


class CorpusContract(ABC):
    """Subclasses name a corpus and write a small look-alike of it.

    Attributes:
        name: Of the corpus.
        options: What it is read with.
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def make(self, root: Path) -> None:
        """Write a corpus in the layout of the publisher; the recordings may be empty files.

        Args:
            root: An empty folder.
        """

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        folder = tmp_path / "corpus"
        folder.mkdir()
        self.make(folder)
        return folder

    @pytest.fixture
    def corpus(self, root: Path) -> Corpus:
        return self.read(root)

    def read(self, root: Path) -> Corpus:
        return read_corpus(self.name, root, self.options)

    def files(self, clip: Clip) -> list[Path]:
        """What a clip names."""
        named = (clip.video, clip.audio, clip.images, clip.annotation)
        return [path for path in named if path is not None]

    def test_it_is_listed_with_a_line_about_it(self) -> None:
        assert CORPORA[self.name].describe()

    def test_it_says_what_it_is(self, corpus: Corpus) -> None:
        assert corpus.name == self.name and corpus.task in TASKS
        assert corpus.licence, "the terms of the data travel with every model that is made from it"
        assert len(set(corpus.classes)) == len(corpus.classes) >= 2

    def test_clips_are_in_the_order_of_their_names(self, corpus: Corpus) -> None:
        names = [clip.id for clip in corpus.clips]
        assert names and names == sorted(set(names))

    def test_every_clip_has_files_of_the_folder(self, root: Path, corpus: Corpus) -> None:
        for clip in corpus.clips:
            assert self.files(clip), clip.id
            for path in self.files(clip):
                assert path.exists() and path.is_relative_to(root), clip.id

    def test_labels_and_votes_are_of_its_classes(self, corpus: Corpus) -> None:
        for clip in corpus.clips:
            assert clip.label is None or clip.label in corpus.classes
            for votes in (clip.votes or {}).values():
                assert {*votes} <= {*corpus.classes} and min(votes.values(), default=0) >= 0

    def test_parts_of_recordings_have_a_length(self, corpus: Corpus) -> None:
        for clip in corpus.clips:
            assert clip.start >= 0 and (clip.end is None or clip.end > clip.start)

    def test_reading_changes_nothing_and_gives_the_same_again(self, root: Path) -> None:
        before = content_of(root)
        assert list(self.read(root).clips) == list(self.read(root).clips)
        assert content_of(root) == before

    def test_a_clip_whose_files_are_gone_is_left_out_or_named(
        self, root: Path, corpus: Corpus
    ) -> None:
        gone = {path for path in self.files(corpus.clips[0]) if path.is_file()}
        others = {clip.id for clip in corpus.clips if not gone & {*self.files(clip)}}
        for path in gone:
            path.unlink()
        try:
            assert {clip.id for clip in self.read(root).clips} >= others
        except BadInput as error:
            assert any(path.name in str(error) for path in gone)

    def test_a_folder_without_it_is_refused_by_name(self, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.mkdir()
        for root in (empty, tmp_path / "nowhere"):
            with pytest.raises(BadInput, match=root.name):
                self.read(root)
