"""The stream of one clip, kept in a file of its own until all clips of its stream are there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput, TooShort, Unusable
from affuse.execution.files import NotWritten
from affuse.execution.names import path_below
from affuse.features.archive import open_archive, write_archive
from affuse.features.extractor import Extractor, undecodable
from affuse.features.recorded import Blocks, RecordingExtractor, duration_of
from affuse.features.stream import Stream, StreamSpec
from affuse.media.probe import probe

#: Bytes of a stream that are held in memory while it is written.
_AT_ONCE = 1 << 25
#: Arrays of a part that are large.
_LARGE = ("values", "mask")


def made_from(clip: Clip, extractor: Extractor) -> str:
    """Name, size and time of the files that a stream is made from, and the part of them."""
    facts: list[object] = [clip.start, clip.end]
    facts += [] if clip.row is None else [clip.row]
    paths = extractor.sources(clip)
    for path in paths:
        status = path.stat() if path.is_file() else None
        facts += [path.name, status and status.st_size, status and status.st_mtime_ns]
    text = json.dumps(facts)
    # A stream file repeats this for every clip; a file per image would fill its header.
    return text if len(paths) < 8 else hashlib.sha256(text.encode()).hexdigest()


def is_fresh_part(path: Path, clip: Clip, extractor: Extractor, whole: bool = False) -> bool:
    """Whether a part is of these files; with `whole`, also whether it is what was written."""
    try:
        part = open_archive(path, later=() if whole else _LARGE)
    except BadInput:
        return False
    return part.checked and part.metadata.get("made_from") == made_from(clip, extractor)


def part_path(folder: Path, clip: str) -> Path:
    """Where the part of a clip lies among those of its stream."""
    return path_below(folder, clip, ".safetensors")


def write_part(path: Path, clip: Clip, extractor: Extractor, blocks: Blocks) -> None:
    """One clip's stream; a clip that lacks the modality gets zero frames.

    Args:
        path: The file.
        clip: The clip.
        extractor: Of the stream.
        blocks: Its blocks.
    """
    spec = extractor.spec
    masks, start = [np.zeros(0, bool)], 0.0
    facts: dict[str, Any] = {"made_from": made_from(clip, extractor)}
    notes: dict[str, None] = {}
    # what waits gives the number of frames
    with _written(path), SpooledTemporaryFile(_AT_ONCE, dir=str(path.parent)) as waiting:
        try:
            for block in _read(blocks):
                start = start if len(masks) > 1 else block.start
                masks.append(block.mask)
                notes |= dict.fromkeys(f"{clip.audio}: {note}" for note in block.notes)
                waiting.write(np.ascontiguousarray(block.values, spec.dtype).data)
        except Unusable as error:  # absent, and the other modality goes on
            masks, start = masks[:1], 0.0
            waiting.truncate(0)
            if isinstance(error, TooShort):
                notes[f"{error}; it is left out"] = None
            else:
                facts["broken"] = str(error)
        if len(masks) == 1 and not notes and "broken" not in facts:
            facts |= _broken(clip, extractor)
        if len(masks) > 1:
            facts |= _seconds(clip, extractor)
        waiting.seek(0)
        mask = np.concatenate(masks)
        write_archive(
            path,
            {
                "values": (spec.dtype, (len(mask), *spec.shape), _rows(waiting, spec)),
                "mask": ("bool", mask.shape, [mask]),
            },
            {"start": start, **facts, **({"notes": list(notes)} if notes else {})},
        )


def _seconds(clip: Clip, extractor: Extractor) -> dict[str, float]:
    """How long the clip is, where the stream is made from its recording."""
    place = clip.video or clip.audio
    recorded = isinstance(extractor, RecordingExtractor)
    if place is None or not recorded or place not in extractor.sources(clip):
        return {}
    duration = duration_of(place, clip.tracks)
    end = duration if clip.end is None else min(clip.end, duration)
    return {"seconds": round(end - clip.start, 6)}


def _broken(clip: Clip, extractor: Extractor) -> dict[str, str]:
    """Whether a stream without frames is one that cannot be decoded."""
    kind = extractor.spec.modality
    place = {"video": clip.video, "audio": clip.audio}.get(kind)
    if place is None or extractor.sources(clip) != [place]:
        return {}
    reason = undecodable(probe(place, clip.tracks)).get(kind)
    return {} if reason is None else {"broken": f"{place}: {reason}"}


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Tell what the system says of the disk of a part from what it says of recordings."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except _OfRecording as error:
        raise error.error from None
    except OSError as error:
        raise NotWritten(path, error.strerror or "cannot be written") from error


class _OfRecording(Exception):
    def __init__(self, error: OSError) -> None:
        self.error = error


def _read(blocks: Blocks) -> Iterator[Stream]:
    try:
        yield from blocks()
    except OSError as error:
        raise _OfRecording(error) from error


def _rows(file: IO[bytes], spec: StreamSpec) -> Iterator[np.ndarray]:
    """Frames from a file without a header, some at a time."""
    size = int(np.prod(spec.shape)) * np.dtype(spec.dtype).itemsize
    while data := file.read(size * max(1, _AT_ONCE // size)):
        yield np.frombuffer(data, spec.dtype).reshape(-1, *spec.shape)


def read_part(path: Path, whole: bool) -> Stream:
    """The stream that a part holds; with `whole`, after a look whether it is what was written."""
    part = open_archive(path, later=() if whole else _LARGE)
    return Stream(part.arrays["values"], part.arrays["mask"], part.metadata["start"])


def read_facts(path: Path) -> dict[str, Any]:
    """What is told beside the values of a part, such as `notes` and why it is `broken`."""
    return open_archive(path, later=_LARGE).metadata
