from dataclasses import replace
from pathlib import Path

import pytest
from tests.toy import AUDIO, CLASSES, Toy, toy_recipe, toy_store

from affuse.corpora.registry import read_corpus
from affuse.errors import BadInput
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.models.modelfile import read_spec
from affuse.training.recipe_files import load_recipe
from affuse.training.train import train


def table(root: Path, text: str) -> Path:
    for name in ("a.mp4", "b.wav"):
        (root / name).write_bytes(b"x")
    (root / "clips.csv").write_text(text)
    return root


def test_rows_become_clips(tmp_path: Path) -> None:
    corpus = read_corpus(
        "folder",
        table(tmp_path, "path,label,speaker,start,end\na.mp4,joy,ann,1.5,3\nb.wav,anger,,,\n"),
    )
    a, b = corpus.clips
    assert (a.id, a.label, a.speaker, a.start, a.end) == ("a@1.5", "joy", "ann", 1.5, 3.0)
    assert b.video is None and b.audio.name == "b.wav" and b.speaker is None
    assert corpus.classes == ("anger", "joy")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("path\na.mp4\n", "line 1: no column label"),
        ("path,label,emotion\na.mp4,joy,x\n", "line 1: unknown column emotion"),
        ("path,label\na.mp4,joy\nc.mp4,joy\n", "line 3: no such file: c.mp4"),
        ("path,label\na.mp4,\n", "line 2: label must not be empty"),
        ("path,label,start\na.mp4,joy,soon\n", "line 2: start is not a time"),
        ("path,label,start,end\na.mp4,joy,3,2\n", "line 2: end 2.0 is not after start 3.0"),
        ("path,label\na.mp4,joy\na.mp4,anger\n", "occurs twice"),
        ("path,label\n", "lists no clips"),
    ],
)
def test_a_wrong_table_is_named_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadInput) as error:
        read_corpus("folder", table(tmp_path, text))
    assert reason in str(error.value)
    assert "clips.csv" in str(error.value)


def test_a_folder_without_a_table_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"clips\.csv.*path,label"):
        read_corpus("folder", tmp_path)


def test_the_first_line_of_a_licence_file_travels_with_the_recordings(tmp_path: Path) -> None:
    (tmp_path / "LICENCE.txt").write_text("\ufeff\n  CC BY 4.0, by Ann \r\nall else is the text\n")
    root = table(tmp_path, "path,label\na.mp4,joy\nb.wav,anger\n")
    for named in (root, root / "clips.csv"):
        assert read_corpus("folder", named).licence == "CC BY 4.0, by Ann"
    (tmp_path / "LICENCE.txt").write_text("\n\n")
    assert read_corpus("folder", root).licence.startswith("not stated")
    (tmp_path / "LICENCE.txt").unlink()
    assert read_corpus("folder", root).licence.startswith("not stated")


def test_a_licence_file_beside_the_folders_of_classes_is_no_clip(tmp_path: Path) -> None:
    for name in ("joy", "anger"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.wav").write_bytes(b"x")
    plain = read_corpus("folder", tmp_path)
    (tmp_path / "LICENCE.txt").write_text("CC0\n")
    corpus = read_corpus("folder", tmp_path)
    assert corpus.licence == "CC0"
    assert corpus.clips == plain.clips and corpus.left_out == plain.left_out


def test_a_licence_that_is_no_text_is_refused_in_one_line(tmp_path: Path) -> None:
    root = table(tmp_path, "path,label\na.mp4,joy\n")
    (tmp_path / "LICENCE.txt").write_bytes(b"%PDF-1.7 \x00\x01")
    with pytest.raises(BadInput, match=r"LICENCE\.txt: .*PDF") as error:
        read_corpus("folder", root)
    assert "\n" not in str(error.value)


def test_the_licence_reaches_the_store_and_the_model_file(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    root.mkdir()
    rows = ["path,label,speaker,id"]
    for k in range(32):
        (root / f"{k}.wav").write_text(str(k))
        rows.append(f"{k}.wav,{CLASSES[k // 8 % 4]},s{k % 8},{k:03d}")
    (root / "clips.csv").write_text("\n".join(rows) + "\n")
    (root / "LICENCE.txt").write_text("CC BY 4.0, by Ann\n")
    corpus = read_corpus("folder", root)
    prepare(replace(corpus, classes=CLASSES), tmp_path / "store", [Toy(AUDIO)])
    assert Store(tmp_path / "store").licence == "CC BY 4.0, by Ann"
    toy_store(tmp_path / "toy", clips=32)  # its protocol is of the same clips
    recipe = toy_recipe(
        tmp_path / "toy", streams=[AUDIO.name], model={"name": "audio-only"}, epochs=1
    )
    ((_, file),) = train(load_recipe(recipe), tmp_path / "store", tmp_path / "run", [0])
    assert read_spec(file).training["licence"] == "CC BY 4.0, by Ann"
