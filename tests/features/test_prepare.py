from pathlib import Path

import numpy as np
import pytest
from tests.features.counting import Counting, corpus
from tests.folders import tree

from affuse.corpora.clip import Corpus
from affuse.errors import BadInput
from affuse.features.archive import read_archive, write_archive
from affuse.features.prepare import prepare
from affuse.features.store import Store, read_failures
from affuse.features.stream import StreamSpec
from affuse.features.stream_file import StreamFile

TEXTS = {"a/b": "1 2 3", "b": "4", "c": "5 6 7 8"}


@pytest.fixture
def numbers(tmp_path: Path) -> Corpus:
    (tmp_path / "raw" / "a").mkdir(parents=True)
    return corpus(tmp_path / "raw", TEXTS)


def test_streams_come_back_as_they_were(tmp_path: Path, numbers: Corpus) -> None:
    report = prepare(numbers, tmp_path / "store", [Counting()])
    store = Store(tmp_path / "store")
    stream = store.stream("audio/numbers")["a/b"]
    assert stream.values[:, 0].tolist() == [1, 2, 3] and stream.mask.all()
    assert stream.start == 0.25
    assert report.absent == {"audio/numbers": 1}
    assert [clip.id for clip in store.usable(["audio/numbers"])] == ["a/b", "b", "c"]


def test_workers_and_order_do_not_change_a_byte(tmp_path: Path, numbers: Corpus) -> None:
    prepare(numbers, tmp_path / "one", [Counting()], workers=1)
    prepare(numbers, tmp_path / "two", [Counting()], workers=2)
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_an_interrupted_run_continues_to_the_same_bytes(tmp_path: Path, numbers: Corpus) -> None:
    prepare(numbers, tmp_path / "whole", [Counting()])
    with pytest.raises(KeyboardInterrupt):
        prepare(numbers, tmp_path / "cut", [Counting(stop_at="c")])
    log = tmp_path / "log"
    prepare(numbers, tmp_path / "cut", [Counting(log=log)])
    assert log.read_text().split() == ["c", "zz-silent"]
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_nothing_is_computed_twice_unless_the_recipe_changes(
    tmp_path: Path, numbers: Corpus
) -> None:
    log = tmp_path / "log"
    for scale, calls in ((1.0, 4), (1.0, 4), (2.0, 8)):
        prepare(numbers, tmp_path / "store", [Counting(scale=scale, log=log)])
        assert len(log.read_text().split()) == calls
    assert Store(tmp_path / "store").stream("audio/numbers")["b"].values[0, 0] == 8


def test_a_recording_that_was_replaced_is_computed_again(tmp_path: Path, numbers: Corpus) -> None:
    prepare(numbers, tmp_path / "store", [Counting()])
    (tmp_path / "raw" / "b").write_text("40 41")
    log = tmp_path / "log"
    prepare(numbers, tmp_path / "store", [Counting(log=log)])
    assert log.read_text().split() == ["b"]
    assert Store(tmp_path / "store").stream("audio/numbers")["b"].values[:, 0].tolist() == [40, 41]


def test_a_bad_clip_is_listed_and_the_others_go_on(tmp_path: Path, numbers: Corpus) -> None:
    (tmp_path / "raw" / "b").write_text("")
    report = prepare(numbers, tmp_path / "store", [Counting()])
    store = Store(tmp_path / "store")
    assert [clip.id for clip in store.usable(["audio/numbers"])] == ["a/b", "c"]
    assert ("b", "audio/numbers", f"{tmp_path / 'raw' / 'b'}: is empty") in report.failures
    prepare(numbers, tmp_path / "store", [Counting(name="audio/other")])
    failed = read_failures(tmp_path / "store")
    assert {("b", "audio/numbers"), ("b", "audio/other")} <= {row[:2] for row in failed}
    (tmp_path / "raw" / "b").write_text("4")
    prepare(numbers, tmp_path / "store", [Counting()])
    assert "b" in Store(tmp_path / "store").stream("audio/numbers")


def test_a_clip_with_nothing_in_it_is_a_failure(tmp_path: Path, numbers: Corpus) -> None:
    report = prepare(numbers, tmp_path / "store", [Counting()])
    assert [row[0] for row in report.failures] == ["zz-silent"]
    assert report.failures[0][2] == "there is no recording of it"


def test_the_store_of_another_corpus_is_left_alone(tmp_path: Path, numbers: Corpus) -> None:
    prepare(numbers, tmp_path / "store", [Counting()])
    before = tree(tmp_path / "store")
    other = Corpus("ravdess", numbers.root, numbers.clips, ("joy",), "none")
    with pytest.raises(BadInput, match="is a store of corpus folder, not of ravdess"):
        prepare(other, tmp_path / "store", [Counting()])
    assert tree(tmp_path / "store") == before


def test_a_folder_that_is_no_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="affuse prepare"):
        Store(tmp_path)


def test_archives_open_with_safetensors_and_damage_is_noticed(tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    path = tmp_path / "x.safetensors"
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    write_archive(path, {"values": ("float32", (4, 3), [values[:1], values[1:]])}, {"k": [1]})
    assert (load_file(path)["values"] == values).all()
    arrays, metadata = read_archive(path)
    assert (arrays["values"] == values).all() and metadata == {"k": [1]}
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BadInput, match="not a whole archive"):
        read_archive(path)
    with pytest.raises(ValueError, match="do not fill"):
        write_archive(path, {"values": ("float32", (5, 3), [values])}, {})


def test_a_stream_file_without_a_part_is_one_clear_line(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    spec = StreamSpec("audio/x", 10.0, (2,)).to_json()
    write_archive(path, {"mask": ("bool", (1,), [np.ones(1, bool)])}, {"spec": spec, "clips": []})
    with pytest.raises(BadInput, match=r"x.safetensors: lacks parts of a stream \('values'\)"):
        StreamFile(path)
