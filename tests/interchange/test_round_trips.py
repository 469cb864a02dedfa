"""What is written comes back, but for what a format cannot hold, which is said in its writer."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.interchange.codings import codings, in_order, kept

from affuse.interchange.audacity import read_labels, write_labels
from affuse.interchange.boris import read_events, write_events
from affuse.interchange.elan import read_eaf, write_eaf
from affuse.interchange.formats import FORMATS, read_coding, write_coding
from affuse.interchange.segments import Coding, Segment, merged, tier_name, tier_parts
from affuse.interchange.textgrid import read_textgrid, write_textgrid
from affuse.interchange.webvtt import read_vtt, write_vtt

#: Each example writes a file to the disk.
FEW = settings(max_examples=40, deadline=None)
#: For codings that take their turns in one folder.
Place = Callable[[str], Path]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("codings")
    return lambda name: folder / name


def blanks(text: str) -> str:
    return " ".join(text.split())


@FEW
@given(codings())
def test_elan_keeps_people_signals_milliseconds_and_labels(place: Place, coding: Coding) -> None:
    write_eaf(place("a.eaf"), coding)
    found = read_eaf(place("a.eaf"))
    assert in_order([*found.segments]) == kept(coding, str)
    assert found.media == coding.media


@FEW
@given(codings())
def test_praat_keeps_people_signals_milliseconds_and_labels(place: Place, coding: Coding) -> None:
    write_textgrid(place("a.TextGrid"), coding)
    found = read_textgrid(place("a.TextGrid"))
    assert in_order([*found.segments]) == kept(coding, str, empty=False)
    assert found.duration == pytest.approx(max(coding.duration, 0.001), abs=5e-4)


@FEW
@given(codings())
def test_webvtt_keeps_people_signals_milliseconds_and_labels_without_empty_lines(
    place: Place, coding: Coding
) -> None:
    def label(text: str) -> str:
        return re.sub(r"\s*\n\s*\n\s*", "\n", text).strip()

    write_vtt(place("a.vtt"), coding)
    found = read_vtt(place("a.vtt"))
    assert in_order([*found.segments]) == kept(coding, label, empty=False)


@FEW
@given(codings(exact=False))
def test_audacity_keeps_microseconds_instants_and_of_several_tiers_whose_they_are(
    place: Place, coding: Coding
) -> None:
    write_labels(place("a.txt"), coding)
    found = in_order([*read_labels(place("a.txt")).segments])
    expected = kept(coding, blanks, instants=True, digits=6)
    if len(coding.tiers) > 1:
        assert found == expected
    elif not any("@" in s.label for s in expected):
        assert [s.label for s in found] == [s.label for s in expected]
        assert {s.tier for s in found} <= {"emotion"}
    assert [(s.start, s.end) for s in found] == [(s.start, s.end) for s in expected]


@FEW
@given(codings())
def test_boris_keeps_notes_too_and_joins_neighbours_that_say_the_same(
    place: Place, coding: Coding
) -> None:
    write_events(place("a.tsv"), coding)
    found = in_order([*read_events(place("a.tsv")).segments])
    labelled = ([s for s in tier if s.label.strip()] for tier in coding.tiers.values())
    joined = [s for tier in labelled for s in merged(tier)]
    assert found == kept(Coding(joined), blanks, blanks)
    rows = place("a.tsv").read_text(encoding="utf-8").split("\n")
    assert len(set(rows)) == len(rows), "BORIS drops an event that is there twice"


@FEW
@given(codings(exact=False))
def test_times_are_rounded_to_milliseconds_and_never_overlap(place: Place, coding: Coding) -> None:
    for name, write, read in (
        ("b.eaf", write_eaf, read_eaf),
        ("b.TextGrid", write_textgrid, read_textgrid),
    ):
        write(place(name), coding)
        for tier in read(place(name)).tiers.values():
            assert all(s.start < s.end for s in tier)
            assert all(a.end <= b.start for a, b in pairwise(tier))
            assert all(abs(1000 * s.end - round(1000 * s.end)) < 1e-6 for s in tier)


@given(st.text("ab@. é", max_size=6), st.text("ab. é", min_size=1, max_size=6))
def test_the_name_of_a_tier_tells_person_and_signal(person: str, signal: str) -> None:
    assert tier_parts(tier_name(person, signal)) == (person, signal)


def test_a_tier_that_overlaps_itself_is_refused_where_it_cannot_be_written(place: Place) -> None:
    coding = Coding([Segment("a", "emotion", 0, 2, "x"), Segment("a", "emotion", 1, 3, "y")])
    for name in ("c.eaf", "c.TextGrid", "c.tsv"):
        with pytest.raises(ValueError, match="overlap in tier emotion@a"):
            write_coding(place(name), coding)
        assert not place(name).exists()
    write_coding(place("c.vtt"), coding)
    assert [s.label for s in read_coding(place("c.vtt")).segments] == ["x", "y"]


def test_the_end_of_a_name_tells_the_format(place: Place) -> None:
    coding = Coding([Segment("ann", "emotion", 0, 2, "x"), Segment("ann", "valence", 1, 3, "0.1")])
    for one in FORMATS.values():
        write_coding(place(f"d{one.ending}"), coding)
        assert in_order([*read_coding(place(f"d{one.ending}")).segments]) == [*coding.segments]


def test_the_same_coding_gives_the_same_bytes(place: Place) -> None:
    coding = Coding([Segment("ann", "emotion", 0, 2, "x")], "a.mp4", 3, {"emotion": ["x", "y"]})
    for one in FORMATS.values():
        first, second = place(f"e{one.ending}"), place(f"f{one.ending}")
        one.write(first, coding)
        one.write(second, coding)
        assert first.read_bytes() == second.read_bytes()
