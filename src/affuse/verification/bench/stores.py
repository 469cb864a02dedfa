"""Stores of generated streams, and the same arrays as plain files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip, Corpus
from affuse.features.consolidate import Entry, write_stream
from affuse.features.store import stream_path
from affuse.features.store_index import write_index
from affuse.features.stream import Stream, StreamSpec

#: Clips that differ; more are copies of them.
DIFFERENT = 16
CLASSES = tuple(f"class{k}" for k in range(8))


def names(clips: int) -> list[str]:
    """Their ids."""
    return [f"{k:06d}" for k in range(clips)]


def values_of(spec: StreamSpec, frames: int, number: int) -> NDArray[np.generic]:
    """(frames, ...) of a clip: smooth noise, images from 0 to 255."""
    random = np.random.default_rng([number % DIFFERENT, len(spec.name)])
    if spec.dtype == "uint8":
        coarse = random.integers(0, 256, (frames, 7, 7, 3)).astype(np.uint8)
        side = -(-spec.shape[0] // 7)
        large = coarse.repeat(side, 1).repeat(side, 2)[:, : spec.shape[0], : spec.shape[1]]
        return large ^ random.integers(0, 8, large.shape).astype(np.uint8)
    values = 20 * random.standard_normal((frames, *spec.shape))
    values[:, 0] -= 300.0  # as the first of MFCCs is
    return values.astype(spec.dtype)


def write_store(folder: Path, streams: Sequence[tuple[StreamSpec, int]], clips: int) -> None:
    """A store as `affuse prepare` writes it.

    Args:
        folder: To make.
        streams: Each with the frames of a clip.
        clips: How many.
    """
    folder.mkdir(parents=True)
    rows = [
        Clip(name, speaker=f"s{k % 24}", label=CLASSES[k % len(CLASSES)])
        for k, name in enumerate(names(clips))
    ]
    write_index(folder, Corpus("folder", folder, rows, CLASSES, "generated"))
    for spec, frames in streams:
        known = [
            Stream(values_of(spec, frames, k), np.ones(frames, bool)) for k in range(DIFFERENT)
        ]
        path = stream_path(folder, spec.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = [
            Entry(name, "", partial(_same, known[k % DIFFERENT]), {})
            for k, name in enumerate(names(clips))
        ]
        write_stream(path, spec, entries, folds=False)


def _same(stream: Stream, whole: bool) -> Stream:
    return stream


def arrays(spec: StreamSpec, frames: int, clips: int) -> Iterator[NDArray[np.generic]]:
    """The values of the clips, one after the other."""
    known = [values_of(spec, frames, k) for k in range(DIFFERENT)]
    for k in range(clips):
        yield known[k % DIFFERENT]
