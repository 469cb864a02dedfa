"""Streams in parts: nothing is lost or doubled, and every piece has its surroundings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import BadInput
from affuse.features.blocks import blocks_of, joined, pieces
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec

SPEC = StreamSpec("video/imported-x", 30.0, (2,))


def stream(frames: int, start: float = 0.5) -> Stream:
    values = np.arange(2 * frames, dtype=np.float32).reshape(frames, 2)
    return Stream(values, values[:, 0] % 3 > 0, start)


def split(whole: Stream, sizes: list[int]) -> list[Stream]:
    edges = np.cumsum([0, *sizes])
    return [
        Stream(whole.values[a:b], whole.mask[a:b], whole.start + a / 30)
        for a, b in pairwise(edges.tolist())
    ]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=6),
    st.integers(1, 12),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_pieces_tile_the_stream(sizes: list[int], count: int, before: int, after: int) -> None:
    whole = stream(sum(sizes))
    first = 0
    for piece, lead, own in pieces(split(whole, sizes), SPEC, count, before, after):
        seen = slice(max(0, first - before), first + own + after)
        np.testing.assert_array_equal(piece.values, whole.values[seen])
        np.testing.assert_array_equal(piece.mask, whole.mask[seen])
        assert lead == first - seen.start and piece.start == pytest.approx(0.5 + seen.start / 30)
        assert own == min(count, sum(sizes) - first)
        first += own
    assert first == sum(sizes)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_parts_are_joined(sizes: list[int]) -> None:
    whole = stream(sum(sizes))
    found = joined(split(whole, sizes))
    assert found is not None and found.start == whole.start
    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_array_equal(found.mask, whole.mask)


class InParts:
    """A stream of 16-bit numbers that is never there as a whole; nothing for the clip `none`."""

    spec = StreamSpec("video/imported-x", 30.0, (2,), "float16")

    def sources(self, clip: Clip) -> list[Path]:
        """No files."""
        return []

    def extract(self, clip: Clip) -> Stream | None:
        """The parts are to be asked for."""
        raise AssertionError("the whole stream was asked for")

    def blocks(self, clip: Clip) -> Iterator[Stream]:
        """Three parts, the last of which cannot be read in the clip `broken`."""
        if clip.id == "none":
            return
        whole = stream(12)
        for number, part in enumerate(split(whole, [5, 5, 2])):
            if number == 2 and clip.id == "broken":
                raise BadInput("x.mp4", "ends early")
            yield Stream(part.values.astype(np.float16), part.mask, part.start)


def test_parts_are_stored_one_after_the_other(tmp_path: Path) -> None:
    clips = [Clip("a"), Clip("broken"), Clip("none"), Clip("z")]
    report = prepare(Corpus("own", tmp_path, clips, ("x",), "none"), tmp_path / "s", [InParts()])
    assert report.absent == {"video/imported-x": 1}
    assert ("broken", "video/imported-x", "x.mp4: ends early") in report.failures
    file = Store(tmp_path / "s").stream("video/imported-x")
    assert "broken" not in file and not len(file["none"].mask)
    for clip in ("a", "z"):
        found = file[clip]
        assert found.start == 0.5 and found.values.dtype == np.float16
        np.testing.assert_array_equal(found.values, stream(12).values)
        np.testing.assert_array_equal(found.mask, stream(12).mask)
    assert len(list(blocks_of(InParts(), Clip("a")))) == 3
