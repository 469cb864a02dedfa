"""Which recordings files, folders and patterns stand for, and the names of their timelines."""

from __future__ import annotations

import glob
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from affuse.corpora.folder import PICTURES, SOUNDS, VIDEOS
from affuse.corpora.tree import walk
from affuse.errors import BadInput
from affuse.inference.tables import FAILURES, SUMMARY

#: How the name of a video of `--overlay` ends.
OVERLAY = "-overlay.mp4"
#: How the names of the files of `--explain` end, before their suffixes.
EXPLAINED = "-explained"
#: What a folder is searched for, beside the suffixes that a corpus of own recordings has.
_MORE = {".3g2", ".3gp", ".aif", ".aiff", ".amr", ".asf", ".au", ".avif", ".caf", ".f4v", ".gif"}
_MORE |= {".heic", ".heif", ".jfif", ".jpe", ".m2ts", ".m4b", ".mka", ".mpe", ".mts", ".mxf"}
_MORE |= {".oga", ".ogv", ".tif", ".tiff", ".ts", ".vob", ".weba", ".wma", ".wv", ".y4m"}
SUFFIXES = frozenset(SOUNDS | PICTURES | VIDEOS | _MORE)
_TAKEN = {Path(SUMMARY).stem, Path(FAILURES).stem}


@dataclass
class Inputs:
    """What is read.

    Args:
        names: Recording -> the name of its timeline: folders below the output folder, no suffix.
        found: Folder or pattern -> how many recordings it gave.
        left_out: The same -> files that are no recordings by their names.
        failures: What could not be used.
    """

    names: dict[Path, Path] = field(default_factory=dict)
    found: dict[Path, int] = field(default_factory=dict)
    left_out: dict[Path, list[Path]] = field(default_factory=dict)
    failures: list[BadInput] = field(default_factory=list)


def find_inputs(words: Sequence[Path], out: Path | None = None) -> Inputs:
    """The recordings that are meant.

    A file is one recording, whatever its name. A folder stands for all recordings in it and in the
    folders below, a pattern (`*`, `?`, `[...]`, and `**` for any folders) for what matches; both
    know recordings by their suffixes and leave hidden files and timelines out.

    A timeline is called as its recording, in the same folders below the one that was named. Where
    two would have one name, recordings of different folders are kept apart by these folders, and
    those of one folder by their suffix. `summary` and `failures` are the names of tables.

    Args:
        words: Files, folders and patterns.
        out: Where timelines go; nothing in there is a recording, unless it is named.
    """
    inputs = Inputs()
    wanted: dict[Path, Path] = {}
    for word in words:
        if _is_folder(word):
            there = {path: path.relative_to(word) for path in _below(word, out)}
        elif is_pattern(word):
            there = _found(word, out)
        else:
            wanted.setdefault(word, Path(word.name))
            continue
        own = {path: name for path, name in there.items() if _is_recording(path, word)}
        inputs.found[word] = len(own)
        inputs.left_out[word] = sorted(there.keys() - own.keys())
        if not own:
            what = "holds no recording" if _is_folder(word) else "no recording matches"
            inputs.failures.append(BadInput(word, what))
        for path, name in own.items():
            wanted.setdefault(path, name)
    inputs.names = _apart(_once(wanted))
    return inputs


def _below(folder: Path, out: Path | None) -> Iterator[Path]:
    """Files of a folder that are not hidden, but timelines that were written there."""
    own = None if out is None else out.resolve()
    tables = {own / SUMMARY, own / FAILURES} if own == folder.resolve() else set()
    if own is not None and folder.resolve() not in own.parents:
        own = None
    for path in walk(folder):
        if tables and path.resolve() in tables:
            continue
        if (own is None or own not in path.resolve().parents) and not _is_output(path):
            yield path


def _is_output(path: Path) -> bool:
    """Whether a file is one of the four of a timeline, its explanation, or its video."""
    if path.stem.endswith(EXPLAINED) and path.suffix in {".csv", ".json"}:
        timeline = path.with_name(f"{path.stem.removesuffix(EXPLAINED)}{path.suffix}")
        return _is_output(timeline) or _is_timeline(path)
    return _is_timeline(path)


def _is_timeline(path: Path) -> bool:
    """Whether a file is one of the four of a timeline, or its video."""
    stem = path.name.removesuffix(OVERLAY) if path.name.endswith(OVERLAY) else path.stem
    if path.suffix not in {".csv", ".json", ".html", ".png", ".mp4"}:
        return False
    four = {path.with_name(f"{stem}{ending}") for ending in (".csv", ".json", ".html", ".png")}
    if path.suffix == ".mp4" and not path.name.endswith(OVERLAY):
        return False
    return all(part.is_file() for part in four)


def is_pattern(word: Path) -> bool:
    """Whether something typed is a pattern, such as `clips/*.mp4`, and no file of that name."""
    return not os.path.lexists(word) and glob.has_magic(str(word))


def matching(pattern: Path) -> list[Path]:
    """Files and folders that match a pattern, in the order of their names."""
    found = glob.glob(str(pattern), recursive=True)  # noqa: PTH207 - Path.glob takes no absolute one
    return sorted(map(Path, found))


def _found(pattern: Path, out: Path | None) -> dict[Path, Path]:
    """Files that match, folders with all that is in them, by their place below the fixed part."""
    parts = pattern.parts
    fixed = next(k for k, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    found: dict[Path, Path] = {}
    for path in sorted(matching(pattern), key=lambda path: (len(path.parts), path)):
        for file in _below(path, out) if path.is_dir() else [path]:
            if not _is_output(file):
                found.setdefault(file, file.relative_to(base))
    return found


def _is_recording(path: Path, word: Path) -> bool:
    """Whether a file that nobody named is one by its suffix, or has the one that was asked for."""
    asked = word.suffix if not _is_folder(word) and not glob.has_magic(word.suffix) else ""
    return path.suffix == asked if asked else path.suffix.lower() in SUFFIXES


def _once(wanted: dict[Path, Path]) -> dict[Path, Path]:
    """Each file once, also where a link leads to its folder."""
    first: dict[Path, Path] = {}
    for path in wanted:
        first.setdefault(path.parent.resolve() / path.name, path)
    return {path: wanted[path] for path in first.values()}


def _apart(wanted: dict[Path, Path]) -> dict[Path, Path]:
    """Names without suffixes, no two alike."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for path, name in wanted.items():
        groups[_key(name.with_suffix(""))].append(path)
    names: dict[Path, Path] = {}
    for paths in groups.values():
        folders = [path.parent.resolve() for path in paths]
        base = Path(os.path.commonpath(folders))
        for path, folder in zip(paths, folders, strict=True):
            name = wanted[path]
            if len(set(folders)) > 1:
                name = folder.relative_to(base) / path.name
            alone = len(paths) == 1 or folders.count(folder) == 1
            stem = name.stem if alone else name.name.replace(".", "_")
            names[path] = name.with_name(stem)
    taken = set(_TAKEN)
    for path, name in names.items():
        while _key(name) in taken:
            name = name.with_name(f"{name.name}_")
        taken.add(_key(name))
        names[path] = name
    return {path: names[path] for path in wanted}


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long
        return False


def _key(name: Path) -> str:
    """What file systems that know neither case nor forms of letters take for the same name."""
    return unicodedata.normalize("NFC", name.as_posix()).casefold()
