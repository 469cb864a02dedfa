"""Anybody's own recordings: a folder with a CSV that lists them, or with a folder per class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from affuse.corpora.annotation import VALENCE_AROUSAL
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.tree import read_rows, walk
from affuse.errors import BadInput
from affuse.suggestions import hint

TABLE = "clips.csv"
LICENCE = "not stated (a user's own recordings)"
SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aac", ".opus"}
PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".flv", ".mpg", ".mpeg", ".m4v", ".wmv"}

_TEXTS = (
    "speaker",
    "session",
    "recording",
    "partition",
    "sex",
    "race",
    "ethnicity",
    "intensity",
    "kind",
)
_COLUMNS = ("path", "label", "id", "audio", "start", "end", "age", "annotation", *_TEXTS)
_VOTES = "votes:"


def read(root: Path) -> Corpus:
    """The clips of a folder.

    Args:
        root: A folder with a file `clips.csv`, or such a CSV itself, or a folder with one folder
            per class that holds recordings or pictures (further folders below are speakers).

    The CSV has a column `path` (relative to the CSV), and one of: `label` (a class), columns
    `votes:<class>` (how many people chose it), or `annotation` (a CSV with `time,valence,arousal`
    or a row of `valence,arousal` per picture). Optional: `id`, `speaker`, `session`, `recording`,
    `start` and `end` in seconds, `audio` (where the sound is a file of its own), `sex`, `age`,
    `race`, `ethnicity`, `intensity`, `kind`, `partition`.

    Returns:
        Clips in the order of their ids; classes in alphabetical order. Sound files give clips
        without pictures.

    Raises:
        BadInput: There is neither table nor class folder, a column is missing or unknown, or a row
            is wrong (named with its line).
    """
    root = Path(root)
    table = root / TABLE if root.is_dir() else root
    if not table.is_file() and root.is_dir():
        return _class_folders(root)
    if not table.is_file():
        raise BadInput(table, "no such file; a folder corpus needs a CSV with columns path,label")
    clips: dict[str, Clip] = {}
    for line, row in read_rows(table, ["path"]):
        if not clips:
            _check_columns(row, table)
        clip = _clip(row, table, line)
        if clip.id in clips:
            raise BadInput(table, f"line {line}: clip id {clip.id!r} occurs twice; add a column id")
        clips[clip.id] = clip
    if not clips:
        raise BadInput(table, "lists no clips")
    return _corpus(table.parent, clips, _classes(clips))


def _classes(clips: Mapping[str, Clip]) -> set[str]:
    labels = {clip.label for clip in clips.values() if clip.label is not None}
    voted = {name for c in clips.values() for votes in (c.votes or {}).values() for name in votes}
    return labels | voted


def _corpus(root: Path, clips: Mapping[str, Clip], classes: set[str]) -> Corpus:
    over_time = any(clip.annotation for clip in clips.values())
    return Corpus(
        name="folder",
        root=root,
        clips=[clips[name] for name in sorted(clips)],
        classes=VALENCE_AROUSAL if over_time else tuple(sorted(classes)),
        licence=LICENCE,
        task="valence-arousal" if over_time else "classification",
    )


def _class_folders(root: Path) -> Corpus:
    """A folder per class; what lies deeper tells who speaks."""
    clips: dict[str, Clip] = {}
    left_out: Counter[str] = Counter()
    for path in walk(root):
        parts = path.relative_to(root).parts
        if len(parts) < 2 or path.suffix.lower() not in SOUNDS | PICTURES | VIDEOS:
            left_out["stray files"] += 1
            continue
        name = path.relative_to(root).with_suffix("").as_posix()
        name = path.relative_to(root).as_posix() if name in clips else name
        clip = _files(Clip(name, label=parts[0]), path)
        clips[name] = replace(clip, speaker=parts[1]) if len(parts) > 2 else clip
    if not clips:
        raise BadInput(
            root, f"holds no {TABLE} with columns path,label, and no class folder with recordings"
        )
    corpus = _corpus(root, clips, {str(clip.label) for clip in clips.values()})
    return replace(corpus, left_out=dict(left_out))


def _files(clip: Clip, path: Path) -> Clip:
    """The clip with its files, by what the suffix tells of them."""
    suffix = path.suffix.lower()
    return replace(
        clip,
        video=None if suffix in SOUNDS else path,
        audio=None if suffix in PICTURES else path,
    )


def _check_columns(row: Mapping[str, str], table: Path) -> None:
    if wrong := [n for n in row if n not in _COLUMNS and not n.startswith(_VOTES)]:
        known = hint(wrong[0], [*sorted(_COLUMNS), f"{_VOTES}<class>"])
        raise BadInput(table, f"line 1: unknown column {', '.join(wrong)}; {known}")
    if "label" not in row and "annotation" not in row and not any(_VOTES in name for name in row):
        raise BadInput(
            table, f"line 1: no column label (nor {_VOTES}<class> columns, nor annotation)"
        )


def _clip(row: dict[str, str], table: Path, line: int) -> Clip:
    where = f"line {line}: "
    votes = _votes(row, table, line)
    if not row["path"]:
        raise BadInput(table, where + "path must not be empty")
    if "label" in row and not row["label"] and not votes and not row.get("annotation"):
        raise BadInput(table, where + "label must not be empty")

    def file(column: str) -> Path | None:
        if not row.get(column):
            return None
        path = table.parent / row[column]
        if not path.is_file():
            raise BadInput(table, f"{where}no such file: {row[column]}")
        return path

    def number(column: str, what: str) -> float | None:
        if not row.get(column):
            return None
        value = _number(row[column])
        if not value >= 0:
            raise BadInput(table, f"{where}{column} is not {what}: {row[column]!r}")
        return value

    path = file("path")
    assert path is not None
    start = number("start", "a time in seconds") or 0.0
    end = number("end", "a time in seconds")
    if end is not None and end <= start:
        raise BadInput(table, f"{where}end {end} is not after start {start}")
    spot = "" if not start and end is None else f"@{start:g}"
    texts: dict[str, Any] = {name: row.get(name) or None for name in _TEXTS}
    clip = Clip(
        id=row.get("id") or _name(Path(row["path"])) + spot,
        start=start,
        end=end,
        label=row.get("label") or None,
        votes={"audio-visual": votes} if votes else None,
        annotation=file("annotation"),
        age=number("age", "a number of years"),
        **texts,
    )
    clip = _files(clip, path)
    return replace(clip, audio=file("audio") or clip.audio)


def _votes(row: Mapping[str, str], table: Path, line: int) -> dict[str, float]:
    votes = {}
    for column, text in row.items():
        if column.startswith(_VOTES) and text:
            value = _number(text)
            if not value >= 0:
                raise BadInput(table, f"line {line}: {text!r} in {column} is no number of votes")
            votes[column.removeprefix(_VOTES)] = value
    return votes if any(votes.values()) else {}


def _number(text: str) -> float:
    """The finite number that a text is, or NaN."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _name(path: Path) -> str:
    """A path without suffix; of an absolute path the file's name alone."""
    return path.stem if path.is_absolute() else path.with_suffix("").as_posix()
