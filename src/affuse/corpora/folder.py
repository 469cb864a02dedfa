"""Anybody's own recordings: with a CSV that lists them, with labels beside them, or by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from affuse.corpora.annotation import VALENCE_AROUSAL
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.label_segments import labelled_clips, labels_beside
from affuse.corpora.spelling import one_class, one_spelling
from affuse.corpora.tree import Tree, find_listed
from affuse.errors import BadInput
from affuse.execution.names import name_problem
from affuse.execution.tables import Sheet, rows_of
from affuse.execution.text import clean
from affuse.execution.text_files import read_lines
from affuse.suggestions import hint

TABLE = "clips.csv"
LICENCE = "not stated (a user's own recordings)"
LICENCE_FILE = "LICENCE.txt"
SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".m4a", ".aac", ".opus"}
PICTURES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff"}
PICTURES |= {".heic", ".heif", ".avif", ".jp2", ".ppm", ".pgm"}
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
_COLUMNS = ("path", "label", "id", "audio", "start", "end", "age", "annotation", "labels", *_TEXTS)
_VOTES = "votes:"
_MOST_VOTES = 1e9
#: Words that are written in small letters wherever they come from.
_WORDS = {"partition": ("train", "validation", "test"), "sex": ("female", "male")}


def read(root: Path, tier: str = "") -> Corpus:
    """The clips of a folder.

    Args:
        root: A folder with a file `clips.csv`, or such a CSV itself, or a folder with one folder
            per class that holds recordings or images (further folders below are speakers), or a
            folder with recordings and files of labels of their names beside them (`.eaf`,
            `.TextGrid`).
        tier: Name of the tier in files of labels; `emotion`, or the only one, by default.

    The CSV has a column `path` (relative to the CSV), and one of: `label` (a class), columns
    `votes:<class>` (how many people chose it), `annotation` (a CSV with `time,valence,arousal`
    or a row of `valence,arousal` per image), or `labels` (a file of labelled segments, each of
    which is a clip: `affuse.corpora.label_segments`). Optional: `id`, `speaker`, `session`,
    `recording`, `start` and `end` in seconds, `audio` (where the sound is a file of its own),
    `sex`, `age`, `race`, `ethnicity`, `intensity`, `kind`, `partition`. Cells are cleaned, and it
    may be in any dialect of CSV (`affuse.execution.tables`). The first line of a file `LICENCE.txt`
    is the licence of the recordings.

    Returns:
        Clips in the order of their ids; classes in alphabetical order. Sound files give clips
        without images. Classes that differ in case only are one, and so are people; `notes` say
        so. Files whose content is not here (links, pointers) are counted and `missing`.

    Raises:
        BadInput: There is neither table nor class folder, a column is missing or unknown, or a row
            is wrong (named with its line).
    """
    root = Path(root)
    table = root / TABLE if root.is_dir() else root
    if not table.is_file() and root.is_dir():
        return _labelled(root, tier) or _class_folders(root)
    if not table.is_file():
        raise BadInput(table, "no such file; a folder corpus needs a CSV with columns path,label")
    sheet = Sheet(table, _COLUMNS)
    clips: dict[str, Clip] = {}
    here = Tree(table.parent)
    known = False
    for line, row in rows_of(sheet, iter(sheet), ["path"], _COLUMNS):
        row = {_vote_column(name): cell for name, cell in row.items()}
        if not known:
            _check_columns(row, table)
            known = True
        clip = _clip(row, sheet, line)
        if not all(here.holds(path) for path in _files_of(clip)):
            continue
        own = [clip]
        if row.get("labels"):
            own = labelled_clips(clip, _file(sheet, line, row["labels"]), tier, here.left_out)
        for one in own:
            if one.id in clips:
                told = f"line {line}: clip id {one.id!r} occurs twice; add a column id"
                raise BadInput(table, told)
            clips[one.id] = one
    if not clips:
        absent = here.first_absent()
        raise BadInput(
            table, f"lists no clip that is here; {absent}" if absent else "lists no clips"
        )
    return _corpus(table.parent, list(clips.values()), here)


def _files_of(clip: Clip) -> list[Path]:
    """Its own files, each once."""
    files = (clip.video, clip.audio, clip.annotation)
    return list(dict.fromkeys(path for path in files if path is not None))


def _corpus(root: Path, clips: Sequence[Clip], tree: Tree) -> Corpus:
    over_time = any(clip.annotation for clip in clips)
    clips, people = one_spelling(clips)
    clips, labels = one_class(clips)
    alone = {c.speaker for c in clips if c.speaker is not None and c.speaker == c.recording}
    if alone:
        people.append(f"who speaks in {len(alone)} recordings is not named: each is a person")
    classes = {clip.label for clip in clips if clip.label is not None}
    classes |= {name for c in clips for votes in (c.votes or {}).values() for name in votes}
    return Corpus(
        name="folder",
        root=root,
        clips=sorted(clips, key=lambda clip: clip.id),
        classes=VALENCE_AROUSAL if over_time else tuple(sorted(classes)),
        licence=_licence(root),
        task="valence-arousal" if over_time else "classification",
        left_out=dict(tree.left_out),
        missing=tree.missing,
        notes=people + labels,
    )


def _licence(root: Path) -> str:
    file = (root if root.is_dir() else root.parent) / LICENCE_FILE
    lines = read_lines(file, "replace") if file.is_file() else []
    return lines[0][1] if lines else LICENCE


def _labelled(root: Path, tier: str) -> Corpus | None:
    """Recordings with files of labels beside them; None where there are none."""
    tree = Tree(root)
    paths = [path for path in tree if path.parent == root]
    labels = labels_beside(paths)
    recordings = [path for path in paths if path.suffix.lower() in SOUNDS | VIDEOS]
    if not any(path.stem in labels for path in recordings):
        return None
    clips: dict[str, Clip] = {}
    for path in recordings:
        if path.stem not in labels:
            tree.left_out["recordings without labels"] += 1
        elif tree.holds(path):
            clip = _files(Clip(clean(path.stem)), path)
            for one in labelled_clips(clip, labels[path.stem], tier, tree.left_out):
                if one.id in clips:
                    raise BadInput(path, f"is another recording named {path.stem!r}")
                clips[one.id] = one
    if not clips:
        raise BadInput(root, "holds no labelled segment that can be used")
    return _corpus(root, list(clips.values()), tree)


def _class_folders(root: Path) -> Corpus:
    """A folder per class; what lies deeper tells who speaks."""
    clips: dict[str, Clip] = {}
    tree = Tree(root)
    for path in tree:
        within = path.relative_to(root)
        if within == Path(LICENCE_FILE):
            continue
        if len(within.parts) < 2 or path.suffix.lower() not in SOUNDS | PICTURES | VIDEOS:
            tree.left_out["stray files"] += 1
            continue
        if not tree.holds(path):
            continue
        label, *deeper = map(clean, within.parts)
        name = clean(within.with_suffix("").as_posix())
        name = clean(within.as_posix()) if name in clips else name
        if name in clips:
            tree.left_out["files whose names differ only in unseen characters"] += 1
            continue
        clip = _files(Clip(name, label=label), path)
        clips[name] = replace(clip, speaker=deeper[0]) if len(deeper) > 1 else clip
    if not clips:
        absent = f"; {tree.first_absent()}" if tree.first_absent() else ""
        what = f"no {TABLE} with columns path,label, and no class folder with recordings"
        raise BadInput(root, f"holds {what}{absent}")
    return _corpus(root, list(clips.values()), tree)


def _files(clip: Clip, path: Path) -> Clip:
    """The clip with its files, by what the suffix tells of them."""
    suffix = path.suffix.lower()
    return replace(
        clip,
        video=None if suffix in SOUNDS else path,
        audio=None if suffix in PICTURES else path,
    )


def _vote_column(name: str) -> str:
    """The name of a column, `votes:` in whatever case and with blanks in small letters."""
    head, colon, tail = name.partition(":")
    return f"{_VOTES}{clean(tail)}" if colon and f"{clean(head).casefold()}:" == _VOTES else name


def _check_columns(row: Mapping[str, str], table: Path) -> None:
    if wrong := [n for n in row if n not in _COLUMNS and not n.startswith(_VOTES)]:
        known = hint(wrong[0], [*sorted(_COLUMNS), f"{_VOTES}<class>"])
        raise BadInput(table, f"line 1: unknown column {', '.join(wrong)}; {known}")
    if not {"label", "labels", "annotation"} & {*row} and not any(_VOTES in name for name in row):
        told = f"line 1: no column label (nor {_VOTES}<class> columns, nor annotation, nor labels)"
        raise BadInput(table, told)


def _clip(row: dict[str, str], sheet: Sheet, line: int) -> Clip:
    table, where = sheet.path, f"line {line}: "
    votes = _votes(row, sheet, line)
    if not row["path"]:
        raise BadInput(table, where + "path must not be empty")
    instead = votes or row.get("annotation") or row.get("labels")
    if {"label", "labels"} & {*row} and not row.get("label") and not instead:
        raise BadInput(table, where + "label must not be empty")
    if row.get("labels") and (row.get("label") or row.get("start") or row.get("end")):
        raise BadInput(table, where + "label, start and end are those in the file of labels")

    def file(column: str) -> Path | None:
        return _file(sheet, line, row[column]) if row.get(column) else None

    def number(column: str, what: str) -> float | None:
        if not row.get(column):
            return None
        value = sheet.finite(row[column])
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
    if problem := name_problem(row["id"]) if row.get("id") else "":
        raise BadInput(table, f"{where}clip id {row['id']!r} {problem}")
    texts: dict[str, Any] = {name: row.get(name) or None for name in _TEXTS}
    for column, words in _WORDS.items():
        if texts[column] and texts[column].casefold() in words:
            texts[column] = texts[column].casefold()
    clip = Clip(
        id=row.get("id") or _name(row["path"], table.parent) + spot,
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


def _file(sheet: Sheet, line: int, name: str) -> Path:
    """A file that a row names.

    Raises:
        BadInput: There is none.
    """
    path = find_listed(sheet.path.parent, name)
    if not (path.is_file() or path.is_symlink()):  # a link may lead to what is not here
        reason = "is no file" if path.exists() else "no such file"
        raise BadInput(sheet.path, f"line {line}: {reason}: {name}")
    return path


def _votes(row: Mapping[str, str], sheet: Sheet, line: int) -> dict[str, float]:
    votes = {}
    for column, text in row.items():
        if column.startswith(_VOTES) and text:
            value = sheet.finite(text)
            if not 0 <= value <= _MOST_VOTES:
                raise BadInput(
                    sheet.path, f"line {line}: {text!r} in {column} is no number of votes"
                )
            votes[column.removeprefix(_VOTES)] = value
    return votes if any(votes.values()) else {}


def _name(text: str, folder: Path) -> str:
    """A path without suffix; of an absolute path the file's name alone."""
    if "\\" in text and not (folder / text).exists():
        text = text.replace("\\", "/")
    path = Path(text)
    return path.stem if path.is_absolute() else path.with_suffix("").as_posix()
