"""A split: the files of one or several folds, and the clips that they mean."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from affuse.corpora.clip import Clip
from affuse.corpora.listing import ROLE_WORDS
from affuse.corpora.names import find_clip
from affuse.corpora.protocols.flaws import role_flaws, speaker_flaws
from affuse.corpora.protocols.protocol import ROLES, UNUSED, Protocol, Roles
from affuse.corpora.registry import CORPORA, corpus_module
from affuse.corpora.splits.formats import FORMATS, Row, format_of, read_rows
from affuse.corpora.tree import walk
from affuse.errors import BadInput
from affuse.execution.files import file_digest

_TEXT = {".csv", ".jsonl", ".tsv", ".txt"}
_WORD = re.compile(r"[^\W\d_]+")
#: A name that no corpus has; a corpus that takes it takes any.
_NOBODYS = "no name of a clip"


@dataclass(frozen=True)
class Entry:
    """A line of a split file and the clip that it means.

    Args:
        path: The file.
        row: The line.
        role: One of `ROLES`.
        clip: The clip at hand; else one without files, whose name may tell who speaks.
        known: Whether the clip is at hand or its name is of the corpus.
    """

    path: Path
    row: Row
    role: str
    clip: Clip
    known: bool


@dataclass(frozen=True)
class Split:
    """Split files.

    Args:
        path: The file, or the folder of all of them.
        kinds: Their formats, keys of `FORMATS`.
        corpus: Registry name of the corpus, by the names of the clips; empty where they tell none.
        folds: Name of the fold -> its lines.
        files: Those that were read.
        left_out: Those that were not: no format that is known, or nothing that tells the role.
        sha256: Of the file, or of the digests of all files.
    """

    path: Path
    kinds: tuple[str, ...]
    corpus: str
    folds: dict[str, list[Entry]]
    files: tuple[Path, ...]
    left_out: tuple[Path, ...]
    sha256: str

    def clips(self) -> dict[str, Clip]:
        """Id -> clip of all folds, in the order of the files."""
        return {e.clip.id: e.clip for entries in self.folds.values() for e in entries}


def is_split(path: Path) -> bool:
    """Whether a folder, or a file by its content, may hold split files of others."""
    try:
        return path.is_dir() or (path.is_file() and format_of(path) is not None)
    except BadInput:
        return False


def read_split(path: Path, corpus: str = "", clips: Sequence[Clip] = ()) -> Split:
    """Read a split file or a folder of them.

    The role is told by a column, else by a word in the name of the file or folder (`train`, `val`,
    `validation`, `dev`, `test`, ...). Files whose paths differ in that word only are one fold.

    Args:
        path: The file or folder.
        corpus: Name of the corpus; by default the one whose names of clips most lines have.
        clips: Clips at hand.

    Raises:
        BadInput: There is no split file, a line of one is wrong, or a line names two clips.
    """
    read: dict[Path, tuple[str, str, str, list[Row]]] = {}
    left_out = []
    for file in [path] if path.is_file() else _texts(path):
        kind = format_of(file)
        place = fold_and_role(file.relative_to(path if path.is_dir() else path.parent))
        if kind in ("annotations", "table"):
            place = (place[0] if place else file.name, "")
        if kind is None or place is None:
            left_out.append(file)
        else:
            read[file] = (kind, *place, read_rows(file, kind))
    if not read:
        reason = "holds no split file" if path.is_dir() else "tells no role (train, val or test)"
        raise BadInput(path, f"{reason}; name files such as fold_1/train.csv and fold_1/test.csv")
    corpus = corpus or _corpus_of([row for *_, rows in read.values() for row in rows])
    known = {clip.id: clip for clip in clips}
    folds: dict[str, list[Entry]] = defaultdict(list)
    for file, (_, fold, role, rows) in read.items():
        folds[fold] += [_entry(file, row, row.role or role, corpus, known) for row in rows]
    digests = "".join(f"{file_digest(f)}  {f.relative_to(path.parent)}\n" for f in read)
    return Split(
        path=path,
        kinds=tuple(dict.fromkeys(kind for kind, *_ in read.values())),
        corpus=corpus,
        folds={name: folds[name] for name in sorted(folds, key=_natural)},
        files=tuple(read),
        left_out=tuple(left_out),
        sha256=file_digest(path) if path.is_file() else sha256(digests.encode()).hexdigest(),
    )


def fold_and_role(path: Path) -> tuple[str, str] | None:
    """The fold of a file and its role, by the last word of its path that is a role.

    Returns:
        The path without suffix and with `*` for the word, and the role; None without such a word.
    """
    parts = list(path.with_suffix("").parts)
    for number in reversed(range(len(parts))):
        for word in reversed([*_WORD.finditer(parts[number])]):
            if role := ROLE_WORDS.get(word[0].lower()):
                part = parts[number]
                parts[number] = f"{part[: word.start()]}*{part[word.end() :]}"
                return "/".join(parts), role
    return None


def split_protocol(split: Split, clips: Sequence[Clip] = ()) -> Protocol:
    """The protocol of split files.

    Args:
        split: The files.
        clips: Clips at hand; one that a fold does not list is `unused` in it.
    """
    everything = split.clips() | {clip.id: clip for clip in clips}
    folds: list[dict[str, Roles]] = []
    for entries in split.folds.values():
        has: dict[str, set[str]] = defaultdict(set)
        for entry in entries:
            has[entry.clip.id].add(entry.role)
        folds.append({i: tuple(r for r in ROLES if r in has[i]) or (UNUSED,) for i in everything})
    speakers = {i: clip.speaker or "" for i, clip in everything.items()}
    kinds = " and ".join(FORMATS[kind] for kind in split.kinds)
    names = ", ".join(f"fold {k} is {name}" for k, name in enumerate(split.folds))
    flaws = [*speaker_flaws(folds, speakers), *role_flaws(folds)]
    return Protocol(
        name=str(split.path),
        version=1,
        corpus=split.corpus,
        source=f"{split.path.name}: {kinds}; {names}; SHA-256 {split.sha256}.",
        flaws="".join(f"{flaw[0].upper()}{flaw[1:]}. " for flaw in flaws).rstrip(),
        folds=folds,
        speakers=speakers,
        sha256=split.sha256,
    )


def _texts(folder: Path) -> Iterator[Path]:
    return (path for path in walk(folder) if path.suffix.lower() in _TEXT)


def _natural(name: str) -> list[tuple[int, str]]:
    """What names with numbers are sorted by: fold_2 before fold_10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _corpus_of(rows: Sequence[Row]) -> str:
    """The corpus whose names most rows have, if they are more than half; else empty."""
    counts = {}
    for name in CORPORA:
        named = getattr(corpus_module(name), "clip_named", None)
        if named and named(_NOBODYS) is None:
            counts[name] = sum(any(find_clip(name, n, {}) for n in row.names) for row in rows)
    best = max(counts, key=lambda name: counts[name])
    return best if 2 * counts[best] > len(rows) else ""


def _entry(path: Path, row: Row, role: str, corpus: str, known: Mapping[str, Clip]) -> Entry:
    found = {c.id: c for n in row.names if (c := find_clip(corpus or "folder", n, known))}
    if len(found) > 1:
        raise BadInput(path, f"line {row.line}: names two clips, {' and '.join(found)}")
    for clip in found.values():
        return Entry(path, row, role, clip, True)
    stem = PurePosixPath(row.names[-1].replace("\\", "/")).stem
    clip = Clip(stem, speaker=row.speaker or None, label=row.label or None)
    return Entry(path, row, role, clip, False)
