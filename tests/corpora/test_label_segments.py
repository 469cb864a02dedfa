"""Labelled segments of annotation programs as the clips of a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.corpora.clip import Corpus
from affuse.corpora.registry import read_corpus
from affuse.errors import BadInput
from affuse.interchange.formats import write_coding
from affuse.interchange.segments import Coding, Segment


def put(path: Path, *segments: Segment) -> Path:
    """Write labels, and a recording of the same name."""
    write_coding(path, Coding([*segments]))
    path.with_suffix(".mp4").write_bytes(b"x")
    return path


def folder(root: Path, **options: str) -> Corpus:
    return read_corpus("folder", root, options)


def test_each_labelled_segment_beside_a_recording_is_a_clip(tmp_path: Path) -> None:
    put(
        tmp_path / "talk.eaf",
        Segment("person1", "emotion", 0, 1.25, "happy"),
        Segment("person1", "emotion", 1.25, 2, "unclear"),
        Segment("person1", "emotion", 2, 3.5, "sad"),
        Segment("person1", "valence", 0, 3, "+0.4"),
        Segment("person2", "emotion", 0, 3, "sad"),
    )
    put(tmp_path / "b.TextGrid", Segment("ann", "emotion", 0.5, 1, "happy"))
    (tmp_path / "c.wav").write_bytes(b"x")
    corpus = folder(tmp_path)
    assert [(c.id, c.label, c.start, c.end, c.speaker, c.recording) for c in corpus.clips] == [
        ("b@0.5-1", "happy", 0.5, 1.0, "ann", "b"),
        ("talk@0-1.25", "happy", 0.0, 1.25, "talk", "talk"),
        ("talk@2-3.5", "sad", 2.0, 3.5, "talk", "talk"),
    ]
    assert corpus.classes == ("happy", "sad")
    assert corpus.left_out == {
        "segments that are not sure": 1,
        "segments of people who are not the main one": 1,
        "recordings without labels": 1,
    }
    assert corpus.notes == ["who speaks in 1 recordings is not named: each is a person"]
    assert corpus.clips[0].video == corpus.clips[0].audio == tmp_path / "b.mp4"


def test_a_corrected_label_or_time_is_another_clip(tmp_path: Path) -> None:
    path = put(tmp_path / "talk.eaf", Segment("ann", "emotion", 0, 1, "happy"))
    path.write_text(path.read_text().replace(">happy<", ">sad<").replace('"1000"', '"1100"'))
    (clip,) = folder(tmp_path).clips
    assert (clip.id, clip.label) == ("talk@0-1.1", "sad")


def test_a_table_names_the_files_of_labels_and_who_speaks(tmp_path: Path) -> None:
    put(tmp_path / "talk.eaf", Segment("", "emotion", 0, 1, "happy"))
    both = (Segment("ann", "emotion", 0, 1, "happy"), Segment("ben", "emotion", 0, 1, "sad"))
    put(tmp_path / "two.vtt", *both)
    (tmp_path / "one.wav").write_bytes(b"x")
    rows = [
        "path,label,labels,speaker",
        "talk.mp4,,talk.eaf,p1",
        "two.mp4,,two.vtt,",
        "one.wav,sad,,p2",
    ]
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    assert [(c.id, c.label, c.speaker) for c in folder(tmp_path).clips] == [
        ("one", "sad", "p2"),
        ("talk@0-1", "happy", "p1"),
        ("two@0-1", "happy", "ann"),
        ("two@0-1-ben", "sad", "ben"),
    ]


def test_the_tier_is_emotion_or_the_only_one_or_named(tmp_path: Path) -> None:
    put(tmp_path / "a.eaf", Segment("", "Affekt", 0, 1, "froh"))
    assert [clip.label for clip in folder(tmp_path).clips] == ["froh"]
    put(tmp_path / "a.eaf", Segment("", "Affekt", 0, 1, "froh"), Segment("", "words", 0, 1, "ja"))
    with pytest.raises(BadInput, match=r"a\.eaf: has several tiers \(Affekt, words\); say which"):
        folder(tmp_path)
    assert [clip.label for clip in folder(tmp_path, tier="words").clips] == ["ja"]
    with pytest.raises(BadInput, match=r"a\.eaf: has no tier 'word'; did you mean 'words'"):
        folder(tmp_path, tier="word")


def test_a_project_of_several_observations_is_asked_for_the_one_of_the_recording(
    tmp_path: Path,
) -> None:
    events = '[[0.5, "ann", "happy", "", ""], [1.5, "ann", "happy", "", ""]]'
    observations = ", ".join(
        f'"{k}": {{"file": {{"1": ["/x/{k}.avi"]}}, "events": {own}}}'
        for k, own in (("r1", events), ("r2", "[]"))
    )
    (tmp_path / "study.boris").write_text(
        f'{{"behaviors_conf": {{}}, "observations": {{{observations}}}}}'
    )
    (tmp_path / "r1.mp4").write_bytes(b"x")
    (tmp_path / "clips.csv").write_text("path,labels\nr1.mp4,study.boris\n")
    (clip,) = folder(tmp_path).clips
    assert (clip.id, clip.label, clip.speaker) == ("r1@0.5-1.5", "happy", "ann")


def test_folders_of_classes_stay_so_whatever_lies_beside_their_recordings(tmp_path: Path) -> None:
    for label in ("happy", "sad"):
        (tmp_path / label).mkdir()
        put(tmp_path / label / "a.TextGrid", Segment("", "words", 0, 1, "hello"))
    assert [(clip.id, clip.label) for clip in folder(tmp_path).clips] == [
        ("happy/a", "happy"),
        ("sad/a", "sad"),
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.mp4,happy,a.eaf,", "line 2: label, start and end are those in the file of labels"),
        ("a.mp4,,a.eaf,0.5", "line 2: label, start and end are those in the file of labels"),
        ("a.mp4,,b.eaf,", "line 2: no such file: b.eaf"),
        ("a.mp4,,,", "line 2: label must not be empty"),
        ("a.mp4,,a.mp4,", "a.mp4: is no file of labels by its name"),
        ("a.mp4,,broken.eaf,", "broken.eaf: line 1, column 0: is no whole XML"),
    ],
)
def test_a_wrong_row_is_one_line(tmp_path: Path, row: str, reason: str) -> None:
    put(tmp_path / "a.eaf", Segment("", "emotion", 0, 1, "happy"))
    (tmp_path / "broken.eaf").write_text("happy")
    (tmp_path / "clips.csv").write_text(f"path,label,labels,start\n{row}\n")
    with pytest.raises(BadInput) as error:
        folder(tmp_path)
    assert reason in str(error.value)


def test_two_files_of_labels_or_none_that_can_be_used_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.eaf", Segment("", "emotion", 0, 1, "?"))
    with pytest.raises(BadInput, match="holds no labelled segment that can be used"):
        folder(tmp_path)
    put(tmp_path / "a.TextGrid", Segment("", "emotion", 0, 1, "happy"))
    with pytest.raises(BadInput, match="labels a beside a"):
        folder(tmp_path)
