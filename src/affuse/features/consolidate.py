"""The parts of a stream, one for each clip, made one file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.archive import write_archive
from affuse.features.extractor import Extractor, OutOfFold, same_stream
from affuse.features.parts import is_fresh_part, made_from, part_path, read_facts, read_part
from affuse.features.store import StreamFile, stream_path
from affuse.features.stream import Stream


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


def _said(
    clips: Sequence[Clip], kept: Collection[str], old: StreamFile | None, parts: Path
) -> dict[str, dict[str, Any]]:
    """`notes`, `broken` and `seconds` -> what is to be told of clips, where there is something."""
    said: dict[str, dict[str, Any]] = {"notes": {}, "broken": {}, "seconds": {}}
    for clip in clips:
        if old is not None and clip.id in kept:
            known: dict[str, Mapping[str, Any]] = {"notes": old.notes, "seconds": old.seconds}
            facts = {what: of[clip.id] for what, of in known.items() if clip.id in of}
        else:
            facts = read_facts(part_path(parts, clip.id))
        for what, told in said.items():
            if what in facts:
                told[clip.id] = facts[what]
    return {what: told for what, told in said.items() if told}


def consolidate(
    store: Path,
    extractor: Extractor,
    clips: Sequence[Clip],
    old: StreamFile | None,
    parts: Path,
) -> int:
    """All clips of a stream in one file, in the corpus' order; returns how many are absent."""
    spec = extractor.spec
    kept = dict.fromkeys(clip.id for clip in clips if is_fresh(old, clip, extractor))
    there = [
        clip
        for clip in clips
        if clip.id in kept or is_fresh_part(part_path(parts, clip.id), clip, extractor)
    ]

    def read(clip: Clip, whole: bool = False) -> Stream:
        if old is not None and clip.id in kept:
            return old.outline(clip.id)
        return read_part(part_path(parts, clip.id), whole)

    lengths, starts = [], []
    for clip in there:
        stream = read(clip)
        lengths.append(len(stream.mask))
        starts.append(stream.start)
    total = sum(lengths)
    absent = sum(length == 0 for length in lengths)
    if old is not None and old.checked and old.clips == [clip.id for clip in there] == [*kept]:
        return absent  # it is there as it is

    def blocks(what: str) -> Iterator[np.ndarray]:
        for clip in there:
            yield getattr(read(clip, whole=what == "values"), what)

    count = len(there)
    write_archive(
        stream_path(store, spec.name),
        {
            "offset": ("int64", (count + 1,), [np.cumsum([0, *lengths])]),
            "start": ("float64", (count,), [np.array(starts)]),
            "values": (spec.dtype, (total, *spec.shape), blocks("values")),
            "mask": ("bool", (total,), blocks("mask")),
        },
        {
            "spec": spec.to_json(),
            "clips": [clip.id for clip in there],
            "made_from": [made_from(clip, extractor) for clip in there],
            **_said(there, kept, old, parts),
            **({"folds": _folds(there, extractor)} if isinstance(extractor, OutOfFold) else {}),
        },
        parts={"values": "offset", "mask": "offset"},
    )
    return absent


def _folds(clips: Sequence[Clip], extractor: OutOfFold) -> dict[str, str]:
    """Clip -> the part of the clips that the model behind it was not trained on, if told."""
    return {clip.id: fold for clip in clips if (fold := extractor.fold(clip)) is not None}
