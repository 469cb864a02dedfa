"""Timelines as segments, and the files that `predict --formats` adds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from tests.faults.timelines import NAMES, classes_timeline, rows_of, values_timeline

from affuse.errors import BadInput
from affuse.evaluation.timeline_files import read_timeline
from affuse.inference.coding import coding_of
from affuse.inference.output import MORE_FORMATS, write_people
from affuse.interchange.formats import FORMATS, read_coding, write_coding
from affuse.interchange.segments import Segment

TALK = Path("talk.mp4")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for examples that take their turns."""
    return tmp_path_factory.mktemp("timelines")


def test_windows_share_the_time_between_their_centres_and_equal_neighbours_are_one() -> None:
    rows = rows_of(0.8, 0.7, 0.3, None, 0.9)  # windows of 2 s, 1 s apart: 6 s
    coding = coding_of([classes_timeline(TALK, rows)])
    assert [(s.start, s.end, s.label) for s in coding.segments] == [
        (0.0, 2.5, "neutral"),
        (2.5, 3.5, "unclear"),
        (4.5, 6.0, "neutral"),
    ]
    assert {s.tier for s in coding.segments} == {"emotion@person1"}
    assert coding.segments[0].note == "p 0.75" and coding.segments[1].note == ""
    assert coding.vocabulary["emotion"][-2:] == ["unclear", "withheld"]
    assert coding.media == "talk.mp4" and coding.duration == 6.0


def test_what_is_withheld_is_a_segment_and_what_lies_beyond_the_end_is_none() -> None:
    timeline = classes_timeline(TALK, rows_of(0.8, 0.8, 0.8))
    timeline = replace(timeline.without(np.array([False, True, False])), duration=3.25)
    assert [(s.start, s.end, s.label) for s in coding_of([timeline]).segments] == [
        (0.0, 1.5, "neutral"),
        (1.5, 2.5, "withheld"),
        (2.5, 3.25, "neutral"),
    ]


def test_everybody_has_tiers_of_their_own() -> None:
    first = classes_timeline(TALK, people=2)
    second = classes_timeline(TALK, rows_of(0.9, 0.9, 0.9)[:, ::-1], people=2, person=2)
    coding = coding_of([first, second])
    assert {name: tier[0].label for name, tier in coding.tiers.items()} == {
        "emotion@person1": "neutral",
        "emotion@person2": "surprised",
    }


def test_values_are_half_second_means_in_tenths() -> None:
    timeline = values_timeline(TALK)
    tiers = coding_of([timeline]).tiers
    assert [*tiers] == ["valence@person1", "arousal@person1"]
    for d, tier in enumerate(tiers.values()):
        for segment in tier:
            assert segment.start % 0.5 == 0 and segment.end <= 10
            first = timeline.times >= segment.start - 1e-9
            part = timeline.values[first & (timeline.times < segment.start + 0.5), d]
            assert abs(float(segment.label) - np.nanmean(part)) <= 0.0501
        assert all(s.end <= 4.0 or s.start >= 6.0 for s in tier)
    assert "-0.0" not in {s.label for tier in tiers.values() for s in tier}


def test_the_segments_of_the_written_timeline_are_the_same(tmp_path: Path) -> None:
    timeline = classes_timeline(tmp_path / "talk.mp4", rows_of(0.8, 0.7, 0.3, None, 0.9, 0.9))
    timeline = timeline.without(np.arange(6) == 4)
    timeline.write_json(tmp_path / "talk.json")
    timeline.write_csv(tmp_path / "talk.csv")
    write_coding(tmp_path / "talk.eaf", coding_of([timeline]))
    expected = [replace(s, note="") for s in coding_of([timeline]).segments]
    assert [s.label for s in expected] == ["neutral", "unclear", "withheld", "neutral"]
    assert [*read_timeline(tmp_path / "talk.json").coding().segments] == expected
    assert [*read_coding(tmp_path / "talk.eaf").segments] == expected
    nobody = [replace(s, person="") for s in expected]
    assert [*read_timeline(tmp_path / "talk.csv").coding().segments] == nobody


@pytest.mark.parametrize("make", [classes_timeline, values_timeline])
def test_formats_are_files_with_all_people_and_none_by_default(tmp_path: Path, make: type) -> None:
    people = [make(tmp_path / "talk.mp4"), replace(make(tmp_path / "talk.mp4"), person=2)]
    write_people(people, tmp_path / "plain", "talk")
    plain = {path.name for path in (tmp_path / "plain").iterdir()}
    assert len(plain) == 8
    write_people(people, tmp_path / "out", "talk", formats=[*FORMATS])
    added = {path.name for path in (tmp_path / "out").iterdir()} - plain
    assert added == {f"talk{one.ending}" for one in FORMATS.values()}
    tiers = [*read_coding(tmp_path / "out" / "talk.eaf").tiers]
    for one in FORMATS.values():
        found = read_coding(tmp_path / "out" / f"talk{one.ending}")
        assert {*found.tiers} == {*tiers} and any("@person2" in tier for tier in tiers)


def test_a_corrected_file_is_not_written_over(tmp_path: Path) -> None:
    timeline = classes_timeline(tmp_path / "talk.mp4")
    write_people([timeline], tmp_path, "talk", formats=["eaf"])
    write_people([timeline], tmp_path, "talk", formats=["eaf"])  # the same bytes
    path = tmp_path / "talk.eaf"
    path.write_text(path.read_text().replace(">neutral<", ">sad<"))
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(BadInput, match=r"talk\.eaf: is there already and differs"):
        write_people([timeline], tmp_path, "talk", formats=["eaf"])
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before
    write_people([timeline], tmp_path, "talk")


def test_the_tidy_table_has_a_row_per_person_and_window_with_frames(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "videos" / "expressive_d0.mp4"  # 25 Hz
    timeline = classes_timeline(source)
    both = [timeline, replace(timeline, person=2)]
    write_people(both, tmp_path, "talk", formats=["tidy"])
    table = pd.read_csv(tmp_path / "talk.tidy.csv")
    assert table.person.tolist() == [1, 1, 1, 2, 2, 2]
    assert table.start.tolist() == [0, 1, 2] * 2 and table.end.tolist() == [2, 3, 4] * 2
    assert table.first_frame.tolist()[:3] == [1, 26, 51]
    assert table.last_frame.tolist()[:3] == [50, 75, 78]  # the recording has 78 frames
    assert {*table.recording} == {"expressive_d0.mp4"} and {*table.emotion} == {"neutral"}
    assert np.allclose(table[timeline.classes].sum(axis=1), 1, atol=1e-5)


def test_the_names_of_formats_are_those_that_predict_takes() -> None:
    assert MORE_FORMATS == ("eaf", "textgrid", "boris", "vtt", "audacity", "tidy")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "{}"),
        ("a.json", '{"source": "a.mp4", "person": {"number": 1}, "windows": []}'),
        ("a.json", '{"source": "a.mp4", "person": {"number": 1}, "windows": [{"start": 0}]}'),
        ("a.json", "[" * 100_000),
        ("a.csv", "start,end\n0,1\n"),
        ("a.csv", "start,end,emotion\n0,1,happy\n"),
        ("a.csv", "start,end,emotion,happy\n"),
        ("a.csv", "start,end,emotion,happy\nsoon,1,happy,1\n"),
    ],
)
def test_a_file_that_is_no_timeline_is_one_line(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadInput, match=name):
        read_timeline(tmp_path / name)


def test_unknown_rows_are_gaps(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "frame,time,valence\n1,0.0,0.5\n2,1.0,\n3,2.0,-0.5\n4,3.0,-0.5\n"
    )
    segments = read_timeline(tmp_path / "a.csv").coding().segments
    assert [*segments] == [
        Segment("", "valence", 0.0, 1.0, "0.5"),
        Segment("", "valence", 2.0, 3.0, "-0.5"),
    ]


@settings(max_examples=25, deadline=None)
@given(NAMES.filter(lambda name: name.strip() != ""))
def test_names_of_classes_break_no_format(place: Path, name: str) -> None:
    coding = coding_of([classes_timeline(place / "talk.mp4", rows_of(0.9, classes=2), [name, "x"])])
    for one in FORMATS.values():
        one.write(place / f"talk{one.ending}", coding)
        (segment,) = read_coding(place / f"talk{one.ending}").segments
        assert (segment.start, segment.end) == (0, 2) and segment.label.strip()
