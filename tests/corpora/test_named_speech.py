"""Corpora of speech whose names tell everything, against what is known of their real files."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from tests.folders import touch

from affuse.corpora.emotions import EMOTIONS
from affuse.corpora.named_speech import NamedSpeech
from affuse.corpora.names import find_clip
from affuse.corpora.registry import CORPORA, read_corpus
from affuse.errors import BadInput

CORPORA_OF_SPEECH = ("nemo", "emovo", "emotale", "ased")
SEXES = {"f": "female", "m": "male"}
LANGUAGES = {"nemo": "Polish", "emovo": "Italian", "DK": "Danish", "EN": "English"}
LANGUAGES |= {"ased": "Amharic"}


def described(name: str) -> NamedSpeech:
    found = CORPORA[name].load()
    assert isinstance(found, NamedSpeech)
    return found


@pytest.mark.parametrize("name", CORPORA_OF_SPEECH)
def test_every_rule_agrees_with_a_table_of_all_real_files(shared_data: Path, name: str) -> None:
    root, one = shared_data / "voices" / name, described(name)
    clips = {clip.id: clip for clip in read_corpus(name, root).clips}
    with (root / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = {Path(row["file"]).stem: row for row in csv.DictReader(file)}
    assert {*clips} == {*rows}
    for clip, row in ((clips[stem], row) for stem, row in rows.items()):
        assert clip.audio == root / row["file"] and clip.video is None
        assert row["label"] in EMOTIONS.get(str(clip.label), ("boredom",))
        assert (clip.speaker, clip.sex) == (row["speaker"], SEXES[row["sex"]])
        assert clip.kind == LANGUAGES[row.get("language", name)]
        match = re.fullmatch(one.pattern, clip.id)
        assert match and match["sentence"] == row.get("sentence", match["sentence"])


def test_the_real_ratings_are_read_from_an_index(shared_data: Path) -> None:
    corpus = read_corpus("emotale", shared_data / "voices" / "emotale")
    first = corpus.clips[0]
    assert first.id == "DK_001_A_1"
    assert first.attributes == {"valence": 1.667, "arousal": 4.333, "dominance": 4.667}
    assert all(len(clip.attributes or {}) == 3 for clip in corpus.clips)


def test_names_of_real_nemo_sentences_are_texts(shared_data: Path) -> None:
    texts: dict[str, str] = {}
    with (shared_data / "voices/nemo/index.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sentence = Path(row["file"]).stem.rsplit("_", 1)[1]
            assert texts.setdefault(sentence, row["text"]) == row["text"]
    assert len(set(texts.values())) == len(texts) == 90


@pytest.mark.parametrize("name", CORPORA_OF_SPEECH)
def test_recordings_of_any_ending_are_found_anywhere_without_a_table(
    tmp_path: Path, name: str
) -> None:
    stem = described(name).example.removesuffix(".wav")
    for ending in ("wav", "FLAC", "mp3", "ogg", "m4a", "opus"):
        root = tmp_path / ending
        touch(root, f"deep/er/{stem}.{ending}", "README.md", f"{stem}.txt", "other.wav")
        corpus = read_corpus(name, root)
        assert [clip.id for clip in corpus.clips] == [stem]
        assert corpus.left_out == {"stray files": 1}
        assert corpus.missing == [
            f"{described(name).recordings - 1} of {described(name).recordings} published recordings"
        ]


def test_a_name_that_occurs_again_is_a_second_copy(tmp_path: Path) -> None:
    touch(tmp_path, "f1/dis-f1-b1.wav", "copy/dis-f1-b1.opus")
    corpus = read_corpus("emovo", tmp_path)
    assert len(corpus.clips) == 1 and corpus.left_out == {"second copies": 1}


def test_what_looks_alike_is_no_clip(tmp_path: Path) -> None:
    touch(tmp_path, "EB0_anger_1.wav", "EB0_disgust_1.wav", "EB0_anger.wav", "eb0_anger_2.wav")
    corpus = read_corpus("nemo", tmp_path)
    assert [clip.id for clip in corpus.clips] == ["EB0_anger_1"]
    assert corpus.left_out == {"stray files": 3}


def test_a_recording_that_contradicts_the_others_of_its_speaker_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "04Sad/s4-01-02-02-09.wav", "04Sad/S4-04-02-01-29.wav")
    corpus = read_corpus("ased", tmp_path)
    assert [(c.speaker, c.sex, c.label) for c in corpus.clips] == [
        ("29", "female", "sad"),
        ("09", "male", "sad"),
    ]
    assert [*corpus.bad] == ["s4-01-02-02-09"]


@pytest.mark.parametrize(
    ("table", "rated"),
    [
        ("file,mean_valence_1to5,mean_arousal_1to5,mean_dominance_1to5\nDK_001_A_1.wav,2,3,4\n", 1),
        ("file,label\nDK_001_A_1.wav,joy\n", 0),
        ("file,mean_valence_1to5,mean_arousal_1to5,mean_dominance_1to5\nEN_001_A_1.wav,2,3,4\n", 0),
    ],
)
def test_ratings_are_read_where_an_index_has_them(tmp_path: Path, table: str, rated: int) -> None:
    touch(tmp_path, "DK_001_A_1.wav")
    (tmp_path / "index.csv").write_text(table)
    (clip,) = read_corpus("emotale", tmp_path).clips
    assert clip.label == "angry"
    assert clip.attributes == ({"valence": 2, "arousal": 3, "dominance": 4} if rated else None)


@pytest.mark.parametrize("cell", ["5.5", "0", "much", ""])
def test_a_rating_that_is_none_is_named_with_its_line(tmp_path: Path, cell: str) -> None:
    touch(tmp_path, "DK_001_A_1.wav")
    header = "file,mean_valence_1to5,mean_arousal_1to5,mean_dominance_1to5"
    (tmp_path / "index.csv").write_text(f"{header}\nDK_001_A_1.wav,2,{cell},4\n")
    with pytest.raises(BadInput, match=r"index.csv: line 2: arousal '.*' is no number from 1 to 5"):
        read_corpus("emotale", tmp_path)


def test_a_list_may_name_clips_that_are_not_at_hand() -> None:
    clip = find_clip("emovo", "f1/dis-f1-b1.wav", {})
    assert clip is not None and (clip.id, clip.speaker) == ("dis-f1-b1", "f1")
    assert find_clip("emovo", "dis-f9-b1.wav", {}) is None
