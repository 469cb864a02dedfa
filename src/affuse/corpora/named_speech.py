"""Corpora of acted speech whose file names tell everything: who speaks, and in which emotion."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.folder import SOUNDS
from affuse.corpora.tree import Tree, check_folder
from affuse.errors import BadInput
from affuse.execution.tables import Sheet, read_header, rows_of

_TEXT = {".csv", ".tsv", ".txt", ".md", ".json", ".pdf", ".zip"}
_INDEX = "index.csv"


@dataclass(frozen=True)
class NamedSpeech:
    """A corpus by the pattern of its names; registered, it is read like any other.

    Args:
        name: Registry name.
        pattern: Regular expression of a name without folder and ending. Its groups `speaker` and
            `emotion` must be there, `sex` and `language` where names tell them.
        emotions: Group `emotion` -> class, in the order of the classes.
        licence: Terms of the data, and what to cite.
        example: A name, for messages.
        recordings: How many the publisher gives; 0 where that is not known.
        sexes: Group `sex`, or `speaker` without one, -> `female` or `male`.
        languages: Group `language` -> language; one entry for "" where all is in one language.
        bad: Clip id -> what is wrong with it.
        ratings: Dimension -> column of an `index.csv` with mean ratings from 1 to 5. The file is
            not the publisher's; another one, or none, gives clips without ratings.
    """

    name: str
    pattern: str
    emotions: Mapping[str, str]
    licence: str
    example: str
    recordings: int = 0
    sexes: Mapping[str, str] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    bad: Mapping[str, str] = field(default_factory=dict)
    ratings: Mapping[str, str] = field(default_factory=dict)

    def read(self, root: Path) -> Corpus:
        """The clips below a folder.

        Args:
            root: Folder with the recordings at any depth, with any ending of a sound file.

        Returns:
            One clip per name; `kind` is the language. Other files, and a name that occurs again,
            are counted in `left_out`.

        Raises:
            BadInput: The folder is absent or holds no such recording, or a rating is wrong.
        """
        root = Path(root)
        check_folder(root)
        clips: dict[str, Clip] = {}
        tree, left_out = Tree(root), Counter[str]()
        for path in tree:
            suffix = path.suffix.lower()
            clip = self._clip(path.stem, path) if suffix in SOUNDS else None
            if clip is None:
                left_out["stray files"] += suffix not in _TEXT
            elif clip.id in clips:
                left_out["second copies"] += 1
            elif tree.holds(path):
                clips[clip.id] = clip
        if not clips:
            absent = f"; {tree.first_absent()}" if tree.first_absent() else ""
            raise BadInput(root, f"holds no {self.name} recording ({self.example}){absent}")
        rated = self._ratings(root / _INDEX)
        lacking = self.recordings - len(clips)
        return Corpus(
            name=self.name,
            root=root,
            clips=[_rated(clip, rated) for _, clip in sorted(clips.items())],
            classes=tuple(dict.fromkeys(self.emotions.values())),
            licence=self.licence,
            left_out={why: n for why, n in sorted((left_out + tree.left_out).items()) if n},
            bad={name: why for name, why in self.bad.items() if name in clips},
            missing=tree.missing
            + ([f"{lacking} of {self.recordings} published recordings"] if lacking > 0 else []),
        )

    def clip_named(self, name: str) -> Clip | None:
        """The clip of a name, without a file, or None if it is none."""
        return self._clip(name, None)

    def _clip(self, name: str, path: Path | None) -> Clip | None:
        match = re.fullmatch(self.pattern, name)
        if match is None or match["emotion"] not in self.emotions:
            return None
        told = match.groupdict()
        return Clip(
            id=name,
            audio=path,
            speaker=told["speaker"],
            label=self.emotions[told["emotion"]],
            sex=self.sexes.get(told.get("sex") or told["speaker"]),
            kind=self.languages.get(told.get("language") or ""),
        )

    def _ratings(self, path: Path) -> dict[str, dict[str, float]]:
        """Clip id -> ratings that an index has; nothing where it is no index of ratings."""
        if not self.ratings or not path.is_file():
            return {}
        columns = ("file", *self.ratings.values())
        sheet = Sheet(path, columns)
        if not {*columns} <= {*read_header(sheet, iter(sheet), columns)[1]}:
            return {}
        rated = {}
        for line, row in rows_of(sheet, iter(sheet), columns):
            own = {dimension: sheet.finite(row[name]) for dimension, name in self.ratings.items()}
            if wrong := [d for d, value in own.items() if not 1 <= value <= 5]:
                cell = row[self.ratings[wrong[0]]]
                raise BadInput(path, f"line {line}: {wrong[0]} {cell!r} is no number from 1 to 5")
            rated[Path(row["file"]).stem] = own
        return rated


def _rated(clip: Clip, rated: Mapping[str, Mapping[str, float]]) -> Clip:
    return replace(clip, attributes=rated[clip.id]) if clip.id in rated else clip
