"""CREMA-D: its names, its tables, any part of its recordings, and what is wrong with them."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest
from tests.folders import touch

from affuse.corpora.cremad import BAD, CLASSES, LICENCE, clip_names, read
from affuse.corpora.registry import read_corpus
from affuse.errors import BadInput

ANGRY, HAPPY, NEUTRAL = "1001_IEO_ANG_HI", "1001_IEO_HAP_LO", "1002_DFA_NEU_XX"
LISTED = (ANGRY, HAPPY, NEUTRAL)
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 84000\n"


def tables(root: Path, folder: str = "processedResults") -> Path:
    """Three listed clips of two actors, two of them rated."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    lines = [f'{number},"{name}"\n' for number, name in enumerate(LISTED, 1)]
    (root / "SentenceFilenames.csv").write_text('"Stimulus_Number","Filename"\n' + "".join(lines))
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n'
        '1001,51,"Male","Caucasian","Not Hispanic"\n'
        '1002,21,"Female","Asian","Hispanic"\n'
    )
    (root / folder / "tabulatedVotes.csv").write_text(
        '"","A","D","F","H","N","S","fileName","numResponses"\n'
        f'"100001",6,2,0,0,1,0,"{ANGRY}",9\n'
        f'"200001",5,2,0,0,3,0,"{ANGRY}",10\n'
        f'"300001",8,1,0,0,0,0,"{ANGRY}",9\n'
        f'"300002",0,0,0,5,5,0,"{HAPPY}",10\n'
    )
    return root


def media(name: str) -> tuple[str, str]:
    return f"AudioWAV/{name}.wav", f"VideoFlash/{name}.flv"


def test_a_clip_has_what_its_name_and_the_tables_say(tmp_path: Path) -> None:
    tables(tmp_path)
    touch(tmp_path, *media(ANGRY), *media(HAPPY), *media(NEUTRAL), "readme.md", "x.R")
    corpus = read_corpus("cremad", tmp_path)
    angry, happy, neutral = corpus.clips
    assert (angry.id, angry.speaker, angry.label, angry.intensity) == (
        ANGRY,
        "1001",
        "angry",
        "high",
    )
    assert (angry.audio.name, angry.video.name) == (f"{ANGRY}.wav", f"{ANGRY}.flv")
    assert (angry.sex, angry.age, angry.race) == ("male", 51, "Caucasian")
    assert (neutral.sex, neutral.ethnicity, neutral.session) == ("female", "Hispanic", None)
    assert angry.votes == {
        "audio": {"angry": 6, "disgust": 2, "neutral": 1},
        "video": {"angry": 5, "disgust": 2, "neutral": 3},
        "audio-visual": {"angry": 8, "disgust": 1},
    }
    assert happy.votes == {"audio-visual": {"happy": 5, "neutral": 5}} and neutral.votes is None
    assert [clip.intensity for clip in (happy, neutral)] == ["low", "unspecified"]
    assert corpus.classes == CLASSES and corpus.licence == LICENCE
    assert (corpus.left_out, corpus.missing, corpus.bad) == ({}, [], {})


@pytest.mark.parametrize("folder", ["processedResults", "."])
def test_tables_alone_give_clips_without_recordings(tmp_path: Path, folder: str) -> None:
    corpus = read(tables(tmp_path, folder))
    assert [clip.id for clip in corpus.clips] == sorted(LISTED)
    assert all(clip.audio is None and clip.video is None for clip in corpus.clips)
    assert [clip.votes is not None for clip in corpus.clips] == [True, True, False]
    assert corpus.missing == ["all recordings of 3 listed clips"]


def test_recordings_alone_give_clips_without_votes(tmp_path: Path) -> None:
    touch(tmp_path, *media(ANGRY), *media(HAPPY))
    corpus = read(tmp_path)
    assert [(clip.id, clip.label) for clip in corpus.clips] == [(ANGRY, "angry"), (HAPPY, "happy")]
    assert all(clip.votes is clip.sex is clip.age is clip.race is None for clip in corpus.clips)
    assert corpus.missing == []


def test_sound_alone_lacks_no_pictures(tmp_path: Path) -> None:
    tables(tmp_path)
    touch(tmp_path, media(ANGRY)[0], media(HAPPY)[0])
    corpus = read(tmp_path)
    assert corpus.missing == [f"{NEUTRAL}: no sound file"]
    assert [clip.video for clip in corpus.clips] == [None] * 3
    touch(tmp_path, media(NEUTRAL)[1])
    assert read(tmp_path).missing == [
        f"{NEUTRAL}: no sound file",
        f"{ANGRY}: no video file",
        f"{HAPPY}: no video file",
    ]


def test_the_better_file_of_a_clip_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, f"VideoFlash/{ANGRY}.flv")
    (clip,) = read(tmp_path).clips
    assert clip.audio == clip.video == tmp_path / "VideoFlash" / f"{ANGRY}.flv"
    touch(tmp_path, f"AudioMP3/{ANGRY}.mp3", f"VideoMP4/{ANGRY}.mp4")
    (clip,) = read(tmp_path).clips
    assert (clip.audio.suffix, clip.video.suffix) == (".mp3", ".mp4")
    touch(tmp_path, f"AudioWAV/{ANGRY}.wav")
    (clip,) = read(tmp_path).clips
    assert (clip.audio.suffix, clip.video.suffix) == (".wav", ".mp4")


def test_other_files_are_left_out_and_counted(tmp_path: Path) -> None:
    touch(
        tmp_path,
        *media(ANGRY),
        f"copy/{ANGRY}.wav",
        "AudioWAV/1001_IEO_JOY_HI.wav",  # no such emotion
        "AudioWAV/1092_IEO_ANG_HI.wav",  # no such actor
        "AudioWAV/1001_XYZ_ANG_XX.wav",  # no such sentence
        f"AudioWAV/.{HAPPY}.wav",
        "notes.docx",
        "README.md",
    )
    corpus = read(tmp_path)
    assert [clip.id for clip in corpus.clips] == [ANGRY]
    assert corpus.left_out == {"second copies": 1, "stray files": 4}


def test_known_bad_clips_are_clips_all_the_same(tmp_path: Path) -> None:
    touch(tmp_path, *(file for name in (*BAD, ANGRY) for file in media(name)))
    corpus = read(tmp_path)
    assert len(corpus.clips) == 5 and corpus.bad == BAD
    assert set(BAD) < set(clip_names())


def test_pointers_of_git_lfs_are_no_recordings(tmp_path: Path) -> None:
    tables(tmp_path)
    touch(tmp_path, *media(ANGRY), *media(HAPPY), content=POINTER)
    with pytest.raises(BadInput, match=r"_HI\.wav: is a Git LFS pointer.*one of 4.*lfs pull"):
        read(tmp_path)
    touch(tmp_path, media(HAPPY)[0])
    corpus = read(tmp_path)
    assert corpus.left_out == {"Git LFS pointers instead of recordings": 3}
    assert [clip.audio is not None for clip in corpus.clips] == [False, True, False]


def test_a_wrong_root_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for root, reason in (("absent", "no such"), ("file", "not a folder"), ("empty", "no CREMA-D")):
        with pytest.raises(BadInput, match=rf"{root}: .*{reason}"):
            read(tmp_path / root)
    touch(tmp_path / "empty", "CREMA-D-master.zip")
    with pytest.raises(BadInput, match=r"CREMA-D-master\.zip is not unpacked"):
        read(tmp_path / "empty")


@pytest.mark.parametrize(
    ("table", "old", "new", "reason"),
    [
        ("SentenceFilenames.csv", '"Filename"', '"Name"', "line 1: no column Filename"),
        ("SentenceFilenames.csv", "HAP", "JOY", "line 3: '1001_IEO_JOY_LO' is no clip"),
        ("VideoDemographics.csv", '"Sex"', '"Gender"', "line 1: no column Sex"),
        ("VideoDemographics.csv", "21", "old", "line 3: age 'old'"),
        ("tabulatedVotes.csv", '"S"', '"Q"', "line 1: no column S"),
        ("tabulatedVotes.csv", ",8,", ",many,", "line 4: 'many' in column A is no number"),
        ("tabulatedVotes.csv", ",8,", ",-8,", "line 4: '-8' in column A is no number"),
        ("tabulatedVotes.csv", '"200001"', '"400001"', "line 3: '400001' is no key"),
        ("tabulatedVotes.csv", '"200001"', '"100001"', "line 3: 1001_IEO_ANG_HI has audio votes"),
        ("tabulatedVotes.csv", HAPPY, "1001_IEO_HAP", "line 5: '1001_IEO_HAP' is no clip"),
        ("tabulatedVotes.csv", ",10\n", "\n", "line 3: fewer cells than columns"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(
    tmp_path: Path, table: str, old: str, new: str, reason: str
) -> None:
    tables(tmp_path, ".")
    path = tmp_path / table
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BadInput) as error:
        read(tmp_path)
    assert error.value.path == path and reason in str(error.value)
    assert "\n" not in str(error.value)


def test_most_actors_have_all_their_clips() -> None:
    names = clip_names()
    assert len(names) == len(set(names)) == 7442 and names == sorted(names)
    per_actor = Counter(name[:4] for name in names)
    odd = {actor: count for actor, count in per_actor.items() if count != 82}
    assert len(per_actor) == 91
    assert odd == {"1002": 81, "1008": 76, "1009": 76, "1019": 76, "1076": 81}


def test_the_names_are_those_that_the_publisher_lists(shared_data: Path) -> None:
    with (shared_data / "cremad_labels/SentenceFilenames.csv").open(newline="") as file:
        assert sorted(row["Filename"] for row in csv.DictReader(file)) == clip_names()


def test_all_votes_of_the_publisher_are_read(shared_data: Path) -> None:
    corpus = read(shared_data / "cremad_labels")
    assert len(corpus.clips) == 7442 and corpus.bad == BAD
    assert all(set(clip.votes) == {"audio", "video", "audio-visual"} for clip in corpus.clips)
    with (shared_data / "cremad_labels/tabulatedVotes.csv").open(newline="") as file:
        responses = sum(int(row["numResponses"]) for row in csv.DictReader(file))
    assert responses == sum(
        cast(Any, count)
        for clip in corpus.clips
        for votes in clip.votes.values()
        for count in votes.values()
    )
    levels = Counter(clip.intensity for clip in corpus.clips)
    assert levels == {"low": 455, "medium": 455, "high": 455, "unspecified": 6077}
    people = {clip.speaker: clip for clip in corpus.clips}
    assert Counter(clip.sex for clip in people.values()) == {"male": 48, "female": 43}
    assert Counter(clip.race for clip in people.values()) == {
        "Caucasian": 61,
        "African American": 22,
        "Asian": 7,
        "Unknown": 1,
    }
    totals = [sum(clip.votes["audio-visual"].values()) for clip in corpus.clips]
    assert (min(totals), max(totals)) == (5, 12)
