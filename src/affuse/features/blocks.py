"""Streams of long recordings, a block of frames after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np

from affuse.corpora.clip import Clip
from affuse.features.extractor import Extractor
from affuse.features.stream import Stream, StreamSpec

#: Frames of a block of images.
BLOCK = 256


@runtime_checkable
class BlockExtractor(Protocol):
    """An extractor whose streams may be too large to be held in memory."""

    spec: StreamSpec

    def blocks(self, clip: Clip) -> Iterator[Stream]:
        """Consecutive parts of the stream; none where the clip lacks the modality.

        Raises:
            BadInput: A file of the clip cannot be used.
        """
        ...


def blocks_of(extractor: Extractor, clip: Clip) -> Iterator[Stream]:
    """Consecutive parts of a stream, or the whole where the extractor makes no parts."""
    if isinstance(extractor, BlockExtractor):
        yield from extractor.blocks(clip)
    elif (stream := extractor.extract(clip)) is not None:
        yield stream


def joined(blocks: Iterable[Stream]) -> Stream | None:
    """The stream that consecutive parts make up; None where there is none."""
    parts = deque(blocks)
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
    start, mask = parts[0].start, np.concatenate([part.mask for part in parts])
    values = np.empty((len(mask), *parts[0].values.shape[1:]), parts[0].values.dtype)
    filled = 0
    while parts:  # each part is let go of once it is copied
        part = parts.popleft().values
        values[filled : filled + len(part)] = part
        filled += len(part)
    return Stream(values, mask, start, notes)


def pieces(
    blocks: Iterable[Stream], spec: StreamSpec, count: int, before: int, after: int = 0
) -> Iterator[tuple[Stream, int, int]]:
    """A stream cut into pieces of equal length that come with the frames around them.

    Args:
        blocks: Consecutive parts of it.
        spec: Its spec.
        count: Frames of a piece without those around it; the last piece may have fewer.
        before: Frames that come before a piece, as far as there are any.
        after: Frames that come after a piece, as far as there are any.

    Yields:
        The piece with what is around it, how many of its frames come before it, and how many of
        them are its own.
    """
    held: Stream | None = None
    lead = 0  # frames that are held before the piece

    def piece(own: int) -> tuple[Stream, int, int]:
        assert held is not None
        seen = slice(max(0, lead - before), lead + own + after)
        start = held.start + seen.start / spec.rate if spec.rate else held.start
        return Stream(held.values[seen], held.mask[seen], start), lead - seen.start, own

    for block in blocks:
        if held is None:
            held = block
        else:
            gone = max(0, lead - before)
            values = np.concatenate([held.values[gone:], block.values])
            start = held.start + gone / spec.rate if spec.rate else held.start
            held = Stream(values, np.concatenate([held.mask[gone:], block.mask]), start)
            lead -= gone
        while len(held.mask) >= lead + count + after:
            yield piece(count)
            lead += count
    while held is not None and len(held.mask) > lead:
        own = min(count, len(held.mask) - lead)
        yield piece(own)
        lead += own
