from pathlib import Path

import pytest

from affuse.corpora.registry import read_corpus
from affuse.errors import BadInput


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
