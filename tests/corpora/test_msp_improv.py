from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.folders import touch

from affuse.corpora.msp_improv import CLASSES, EMOTIONS, read, read_ratings
from affuse.corpora.registry import read_corpus
from affuse.errors import AffuseError, BadInput

TURN = "MSP-IMPROV-S01A-F01-P-FM01"
MEANS = "A:2.571429; V:3.000000; D:3.571429 ; N:3.571429;"
RATER = "R00200001; Neutral; Neutral,Concerned; A:3.000000; V:4.000000; D:2.000000; N:4.000000;"
BLOCK = f"UTD-IMPROV-S01A-F01-P-FM01.avi; N; {MEANS}\n{RATER}\n"


def rate(root: Path, text: str, name: str = "Evalution.txt") -> Path:
    (root / name).write_text(text, encoding="utf-8")
    return root / name


def test_a_turn_is_one_clip_with_what_its_name_says(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "session1/S01A/P/MSP-IMPROV-S01A-F01-P-FM01.wav",
        "session1/S01A/P/UTD-IMPROV-S01A-F01-P-FM01.avi",
    )
    rate(tmp_path, BLOCK)
    corpus = read_corpus("msp-improv", tmp_path)
    (clip,) = corpus.clips
    assert clip.id == TURN
    assert (clip.video.suffix, clip.audio.suffix) == (".avi", ".wav")
    assert (clip.speaker, clip.session, clip.sex) == ("F01", "1", "female")
    assert (clip.recording, clip.kind) == ("S01A-F01-P", "natural")
    assert clip.label == "neutral"
    assert clip.votes == {"audio-visual": {"neutral": 1}}
    assert clip.attributes == {
        "arousal": 2.571429,
        "valence": 3.0,
        "dominance": 3.571429,
        "naturalness": 3.571429,
    }
    assert corpus.classes == ("angry", "sad", "neutral", "happy")
    assert (corpus.left_out, corpus.missing) == ({}, [])
    assert "MSP-IMPROV" in corpus.licence


@pytest.mark.parametrize(
    ("name", "speaker", "kind"),
    [
        ("MSP-IMPROV-S20H-F03-T-MF12", "M03", "target-improvised"),
        ("MSP-IMPROV-S07S-M06-S-FM02", "F06", "other-improvised"),
        ("MSP-IMPROV-S01A-F02-R-FF01", "F02", "read"),
    ],
)
def test_the_speaker_is_the_first_letter_of_the_turn(
    tmp_path: Path, name: str, speaker: str, kind: str
) -> None:
    touch(tmp_path, f"Audio/session/{name}.wav")
    (clip,) = read(tmp_path).clips
    assert (clip.speaker, clip.session, clip.kind) == (speaker, speaker[-1], kind)
    assert clip.sex == {"M": "male", "F": "female"}[speaker[0]]


def test_secondary_emotions_are_many_per_rater_and_have_no_consensus(tmp_path: Path) -> None:
    rate(
        tmp_path,
        f"UTD-IMPROV-S01A-F01-P-FM01.avi; A; {MEANS}\n"
        "R1; Angry; Frustrated, angry ,Frustrated; A:1; V:1; D:1; N:1;\n"
        "R2; Sad; Depressed,Concerned,Bored; A:1; V:1; D:1; N:1;\n"
        "R3;Other;;A:1;V:NaN;D:1;N:1\n"
        "R4; Amused; Surprise; A:1; V:1; D:1; N:1;\n",
    )
    primary, secondary = read(tmp_path), read(tmp_path, emotions="secondary")
    assert secondary.classes == EMOTIONS["secondary"] and len(secondary.classes) == 10
    assert primary.clips[0].votes == {"audio-visual": {"angry": 1, "other": 2, "sad": 1}}
    assert secondary.clips[0].votes == {
        "audio-visual": {"angry": 1, "depressed": 1, "frustrated": 1, "other": 1, "surprise": 1}
    }
    assert (primary.clips[0].label, secondary.clips[0].label) == ("angry", None)


@pytest.mark.parametrize(
    ("letter", "label"),
    [("A", "angry"), ("H", "happy"), ("S", "sad"), ("N", "neutral"), ("O", None), ("X", None)],
)
def test_the_label_is_the_publishers_consensus(
    tmp_path: Path, letter: str, label: str | None
) -> None:
    rate(tmp_path, f"UTD-IMPROV-S01A-F01-P-FM01.avi; {letter}; {MEANS}\n{RATER}\n")
    assert read(tmp_path).clips[0].label == label


def test_means_that_are_nan_are_not_there(tmp_path: Path) -> None:
    rate(tmp_path, f"{TURN}.avi; N; A:NaN; V:3; D:nan ; N:2.5;\n{RATER}\n")
    assert read(tmp_path).clips[0].attributes == {"valence": 3.0, "naturalness": 2.5}
    rate(tmp_path, f"{TURN}.avi; X; A:NaN; V:NaN; D:NaN ; N:NaN;\n")
    (clip,) = read(tmp_path).clips
    assert (clip.attributes, clip.votes, clip.label) == (None, None, None)


@pytest.mark.parametrize("name", ["Evalution.txt", "Evaluation.txt", "evalution.TXT"])
def test_ratings_alone_can_be_counted(tmp_path: Path, name: str) -> None:
    rate(tmp_path, f"\ufeff{BLOCK}".replace("\n", "\r\n"), name)
    corpus = read(tmp_path)
    (clip,) = corpus.clips
    assert (clip.video, clip.audio, clip.label) == (None, None, "neutral")
    assert corpus.missing == ["all recordings of 1 rated turns"]


def test_recordings_alone_have_neither_label_nor_votes(tmp_path: Path) -> None:
    touch(tmp_path, f"Video/{TURN}.avi")
    (clip,) = read(tmp_path).clips
    assert clip.audio == clip.video
    assert (clip.label, clip.votes, clip.attributes) == (None, None, None)


def test_parts_are_read_and_what_lacks_is_named(tmp_path: Path) -> None:
    others = [f"MSP-IMPROV-S02H-M01-T-MF0{k}" for k in (1, 2, 3)]
    rate(tmp_path, "\n".join(BLOCK.replace("UTD" + TURN[3:], t) for t in [TURN, *others]))
    touch(tmp_path, f"{TURN}.wav", f"{others[0]}.avi", "MSP-IMPROV-S03N-M01-T-MF01.wav")
    touch(tmp_path, "session6.zip")
    corpus = read(tmp_path)
    assert [clip.id for clip in corpus.clips] == [TURN, *others, "MSP-IMPROV-S03N-M01-T-MF01"]
    assert corpus.missing == [
        "session6.zip is not unpacked",
        f"{TURN}.avi",
        f"{others[0]}.wav",
        *(f"{turn}{suffix}" for turn in others[1:] for suffix in (".avi", ".wav")),
    ]
    assert corpus.left_out == {"zip archives": 1}


def test_stray_and_repeated_files_are_counted(tmp_path: Path) -> None:
    touch(
        tmp_path,
        f"a/{TURN}.avi",
        f"b/UTD{TURN[3:]}.avi",
        f"b/._{TURN}.avi",
        f"{TURN}.mov",
        "MSP-IMPROV-S21A-F01-P-FM01.wav",
        "MSP-IMPROV-S01A-F07-P-FM01.wav",
        "notes.pdf",
    )
    corpus = read(tmp_path)
    assert [clip.video for clip in corpus.clips] == [tmp_path / f"a/{TURN}.avi"]
    assert corpus.left_out == {"second copies": 1, "stray files": 3}


WRONG_LINES = {
    "no turn": ("UTD-IMPROV-S01A-F01-Q-FM01.avi; N; " + MEANS, "no turn such as"),
    "fields": ("UTD-IMPROV-S01A-F01-P-FM02.avi; N; A:2; V:3; D:3;", "5 fields for a turn"),
    "class": (f"UTD-IMPROV-S01A-F01-P-FM02.avi; Z; {MEANS}", "unknown class 'Z'"),
    "number": (
        f"UTD-IMPROV-S01A-F01-P-FM02.avi; N; {MEANS.replace('3.0', 'three')}",
        "'three00000'",
    ),
    "empty number": ("UTD-IMPROV-S01A-F01-P-FM02.avi; N; A:; V:3; D:3; N:3;", "A is not a number"),
    "order": ("UTD-IMPROV-S01A-F01-P-FM02.avi; N; V:2; A:3; D:3; N:3;", "expected A:"),
    "scale": (
        "UTD-IMPROV-S01A-F01-P-FM02.avi; N; A:2; V:5.5; D:3; N:3;",
        "valence 5.5 is not from",
    ),
    "infinite": ("UTD-IMPROV-S01A-F01-P-FM02.avi; N; A:2; V:inf; D:3; N:3;", "is not from 1 to 5"),
    "twice": (f"{TURN}.avi; N; {MEANS}", "was rated in line 1 already"),
    "rater's fields": ("R2; Sad; A:1; V:1; D:1; N:1;", "6 fields for a rater"),
    "rater's class": ("R2; ; Sad; A:1; V:1; D:1; N:1;", "without a primary emotion"),
    "rater's number": ("R2; Sad; Sad; A:1; V:x; D:1; N:1;", "V is not a number: 'x'"),
    "text": ("Ratings of all turns", "1 fields for a rater"),
}


@pytest.mark.parametrize("case", WRONG_LINES)
def test_a_wrong_line_is_named_with_its_number(tmp_path: Path, case: str) -> None:
    line, reason = WRONG_LINES[case]
    path = rate(tmp_path, f"{BLOCK}\n{line}\n")
    with pytest.raises(BadInput) as caught:
        read(tmp_path)
    assert caught.value.path == path
    assert caught.value.reason.startswith("line 4: ") and reason in caught.value.reason
    assert "\n" not in str(caught.value)


def test_a_rater_before_any_turn_is_refused(tmp_path: Path) -> None:
    rate(tmp_path, f"\n{RATER}\n{BLOCK}")
    with pytest.raises(BadInput, match="line 2: a rater before any turn: 'R00200001'"):
        read(tmp_path)


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_ratings_is_refused(tmp_path: Path, text: str) -> None:
    rate(tmp_path, text)
    with pytest.raises(BadInput, match="rates no turn"):
        read(tmp_path)


@pytest.mark.parametrize("root", ["absent", "file", "empty"])
def test_a_wrong_root_is_named(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=root):
        read(tmp_path / root)


def test_what_was_not_unpacked_or_not_fetched_is_said(tmp_path: Path) -> None:
    touch(tmp_path / "zip", "session1.zip", "notes.txt")
    with pytest.raises(BadInput, match=r"holds session1\.zip, not unpacked"):
        read(tmp_path / "zip")
    (tmp_path / "lfs").mkdir()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n"
    (tmp_path / "lfs" / f"{TURN}.wav").write_text(pointer)
    with pytest.raises(BadInput, match=r"is a Git LFS pointer, not a recording: run git lfs pull"):
        read(tmp_path / "lfs")
    rate(tmp_path / "lfs", BLOCK)
    corpus = read(tmp_path / "lfs")
    assert corpus.clips[0].audio is None
    assert corpus.left_out == {"Git LFS pointers instead of recordings": 1}


def test_two_files_of_ratings_are_refused(tmp_path: Path) -> None:
    rate(tmp_path, BLOCK)
    rate(tmp_path, BLOCK, "Evaluation.txt")
    with pytest.raises(BadInput, match="second file of ratings"):
        read(tmp_path)


def test_an_unknown_set_of_emotions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="emotions must be primary or secondary, not 'all'"):
        read_corpus("msp-improv", tmp_path, {"emotions": "all"})


@given(st.lists(st.sampled_from([*CLASSES, "other"]), max_size=9), st.data())
def test_votes_are_counted_whatever_the_blanks(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], data: st.DataObject
) -> None:
    blank = st.text(" \t", max_size=2)
    spaced = [
        "".join(
            data.draw(blank) + part
            for part in f"R{k}|;|{word.title()}|;|Sad|;|A:|1|;V:1;D:|2|;N:3".split("|")
        )
        for k, word in enumerate(words)
    ]
    path = rate(tmp_path_factory.mktemp("ratings"), "\n".join([f"{TURN}.avi;N;{MEANS}", *spaced]))
    assert read_ratings(path)[TURN].votes["primary"] == Counter(words)
