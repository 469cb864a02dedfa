import os
from pathlib import Path

import pytest
from tests.corpora.arrays import TRIALS, write_arrays, write_info

from affuse.cli.main import main
from affuse.corpora.clip import Corpus
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.make import protocol_of_blocks
from affuse.corpora.registry import read_corpus
from affuse.errors import AffuseError, BadInput


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_arrays(tmp_path / "data")


def read(root: Path) -> Corpus:
    return read_corpus("affwild2-npy", root)


def test_a_trial_is_a_clip_with_its_arrays(root: Path) -> None:
    corpus = read(root)
    assert corpus.name == "affwild2" and corpus.task == "valence-arousal"
    assert corpus.arrays == root / "npy_data" and "EULA" in corpus.licence
    assert [clip.id for clip in corpus.clips] == [t for x in TRIALS.values() for t in x]
    clip = corpus.clips[2]
    assert clip.images == root / "npy_data" / "12_left" / "frame.npy"
    assert clip.annotation == root / "npy_data" / "12_left" / "label.npy"
    assert clip.video is None and clip.audio is None and clip.end == 25 / 30
    assert (clip.speaker, clip.recording, clip.partition) == ("12_left", "12", "train")
    assert corpus.clips[-1].partition == "test" and corpus.clips[-1].annotation is None
    assert corpus.missing == [] and corpus.left_out == {}


def test_both_names_of_the_test_set(root: Path) -> None:
    write_info(root, {"partition": {**TRIALS, "Test_Set": {"hidden": 19, "other": 5}}})
    clips = read(root).clips
    assert [clip.id for clip in clips if clip.partition == "test"] == ["hidden", "other"]


def test_what_lacks(root: Path) -> None:
    (root / "npy_data/b/frame.npy").unlink()
    (root / "npy_data/video9/label.npy").unlink()
    (root / "npy_data/unknown").mkdir()
    corpus = read(root)
    assert corpus.missing == ["b: no frame.npy", "video9: no label.npy"]
    assert corpus.left_out == {"folders that dataset_info.pkl does not list": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "holds no {'partition'"),
        ({"partition": {}}, "holds no {'partition'"),
        ({"partition": {"Extra": {}}}, "holds a set 'Extra'; expected Train_Set"),
        ({"partition": {"Train_Set": ["a"]}}, "holds a set 'Train_Set'; expected"),
        ({"partition": {"Train_Set": {"../a": 3}}}, r"'\.\./a' is no name of a trial"),
        ({"partition": {"Train_Set": {"a": 0}}}, "0 is no number of rows of a"),
        ({"partition": {"Train_Set": {"a": 2.5}}}, r"2\.5 is no number of rows of a"),
        (
            {"partition": {"Train_Set": {"a": 3}, "Validation_Set": {"a": 3}}},
            "lists a in train and in validation",
        ),
        ({"partition": os.getenv}, r"holds code \(os\.getenv\); it is not opened"),
    ],
)
def test_a_list_that_cannot_be_used(root: Path, content: object, message: str) -> None:
    write_info(root, content)
    with pytest.raises(BadInput, match=message) as error:
        read(root)
    assert str(error.value).startswith(str(root / "dataset_info.pkl"))


def test_another_folder(tmp_path: Path, root: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        read(tmp_path / "none")
    with pytest.raises(BadInput, match=r"npy_data/dataset_info\.pkl: no such file; name the fol"):
        read(root / "npy_data")


def test_folds_in_the_order_of_the_list(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "blocks.csv"
    words = ["protocol", "affwild2-npy", str(root), "--blocks", "--out", str(out)]
    assert main(words) == 1  # the two people of video 12 are apart in some folds, as published
    clips = read(root).clips
    protocol = load_protocol(str(out), clips)
    assert len(protocol.folds) == 6
    for fold, judged in enumerate(("video9", "video4_1", "12_right", "12_left", "a", "b")):
        roles = dict(zip([clip.id for clip in clips], protocol.roles(fold, clips), strict=True))
        assert [clip for clip, has in roles.items() if has == ("development",)] == [judged]
        assert roles.pop("hidden") == ("test",)
        assert sum(has == ("train",) for has in roles.values()) == 5


def test_folds_of_a_sorted_list_are_the_frozen_ones(root: Path) -> None:
    trials = dict(sorted(TRIALS["Train_Set"].items(), key=lambda row: f"{row[0]}.txt"))
    write_info(root, {"partition": {**TRIALS, "Train_Set": trials}})
    corpus = read(root)
    frozen = load_protocol("affwild2/6fold-list", corpus.clips)
    own = protocol_of_blocks(corpus, "own")
    for fold in range(6):
        assert own.roles(fold, corpus.clips) == frozen.roles(fold, corpus.clips)


def test_folds_of_too_few(root: Path) -> None:
    write_info(root, {"partition": {"Train_Set": {"a": 18}}})
    with pytest.raises(AffuseError, match="1 training and 0 validation clips; six blocks need"):
        protocol_of_blocks(read(root), "x")
