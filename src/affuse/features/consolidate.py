"""The parts of a stream, one for each clip, made one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.archive import write_archive
from affuse.features.extractor import Extractor, OutOfFold, same_stream
from affuse.features.parts import is_fresh_part, made_from, part_path, read_facts, read_part
from affuse.features.store import stream_path
from affuse.features.stream import Stream, StreamSpec
from affuse.features.stream_file import StreamFile


def parts_folder(store: Path, extractor: Extractor) -> Path:
    """Where the parts of a stream lie: those of another recipe never mix with them."""
    spec = json.dumps(extractor.spec.to_json(), sort_keys=True)
    name = extractor.spec.name.replace("/", "-")
    return store / "parts" / f"{name}-{hashlib.sha256(spec.encode()).hexdigest()[:12]}"


def is_fresh(file: StreamFile | None, clip: Clip, extractor: Extractor) -> bool:
    """Whether a stream file has a clip as its files are now."""
    if file is None or clip.id in file.broken:  # what could not be decoded is tried again
        return False
    same = file.made_from.get(clip.id) == made_from(clip, extractor)
    return same and file.intact(clip.id)


def reusable(store: Path, extractor: Extractor) -> StreamFile | None:
    """The stream file in the store where its recipe is the same."""
    path = stream_path(store, extractor.spec.name)
    if path.is_file():
        try:
            file = StreamFile(path)
        except BadInput:
            return None
        if same_stream(extractor.spec, file.spec):
            return file
    return None


@dataclass(frozen=True)
class Entry:
    """One clip on its way into the file of a stream.

    Args:
        clip: Its id.
        made_from: What its files were when the stream was made.
        read: Its stream; with True, after a look whether the values are what was written.
        facts: What is told of it: `notes`, why it is `broken`, `seconds`.
        fold: Of which part the model behind it was not trained on, where that is told.
    """

    clip: str
    made_from: str
    read: Callable[[bool], Stream]
    facts: Mapping[str, Any]
    fold: str | None = None


def consolidate(
    store: Path,
    extractor: Extractor,
    clips: Sequence[Clip],
    old: StreamFile | None,
    parts: Path,
) -> int:
    """All clips of a stream in one file, in the corpus' order; returns how many are absent."""
    folds = extractor.fold if isinstance(extractor, OutOfFold) else None
    entries, kept = [], 0
    for clip in clips:
        fold = folds(clip) if folds else None
        if old is not None and is_fresh(old, clip, extractor):
            kept += 1
            entries.append(_kept(old, clip.id, made_from(clip, extractor), fold))
        elif is_fresh_part(path := part_path(parts, clip.id), clip, extractor):
            entries.append(part_entry(path, clip.id, fold))
    whole = old is not None and old.checked and old.clips == [entry.clip for entry in entries]
    if whole and kept == len(entries):
        return sum(len(entry.read(False).mask) == 0 for entry in entries)  # it is there as it is
    path = stream_path(store, extractor.spec.name)
    return write_stream(path, extractor.spec, entries, folds is not None)


def _kept(old: StreamFile, clip: str, made: str, fold: str | None) -> Entry:
    known: dict[str, Mapping[str, Any]] = {"notes": old.notes, "seconds": old.seconds}
    facts = {what: of[clip] for what, of in known.items() if clip in of}
    return Entry(clip, made, lambda whole: old.outline(clip), facts, fold)


def part_entry(path: Path, clip: str, fold: str | None) -> Entry:
    """A clip of which there is a part."""
    facts = read_facts(path)
    return Entry(clip, facts["made_from"], partial(read_part, path), facts, fold)


def write_stream(path: Path, spec: StreamSpec, entries: Sequence[Entry], folds: bool) -> int:
    """Write the file of a stream; returns how many clips are absent.

    Args:
        path: Of the file.
        spec: Of the stream.
        entries: Its clips in the corpus' order.
        folds: Whether the stream is of models that were not trained on the clips.
    """
    lengths, starts = [], []
    for entry in entries:
        stream = entry.read(False)
        lengths.append(len(stream.mask))
        starts.append(stream.start)
    total, count = sum(lengths), len(entries)

    def blocks(what: str) -> Iterator[np.ndarray]:
        for entry in entries:
            yield getattr(entry.read(what == "values"), what)

    said = {
        what: {entry.clip: entry.facts[what] for entry in entries if what in entry.facts}
        for what in ("notes", "broken", "seconds")
    }
    told = {entry.clip: entry.fold for entry in entries if entry.fold is not None}
    write_archive(
        path,
        {
            "offset": ("int64", (count + 1,), [np.cumsum([0, *lengths])]),
            "start": ("float64", (count,), [np.array(starts)]),
            "values": (spec.dtype, (total, *spec.shape), blocks("values")),
            "mask": ("bool", (total,), blocks("mask")),
        },
        {
            "spec": spec.to_json(),
            "clips": [entry.clip for entry in entries],
            "made_from": [entry.made_from for entry in entries],
            **{what: about for what, about in said.items() if about},
            **({"folds": told} if folds else {}),
        },
        parts={"values": "offset", "mask": "offset"},
    )
    return sum(length == 0 for length in lengths)
