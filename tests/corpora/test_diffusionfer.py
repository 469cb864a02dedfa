"""DiffusionFER: synthetic face images with an index."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from affuse.cli.main import main
from affuse.corpora.diffusionfer import CLASSES
from affuse.corpora.registry import read_corpus
from affuse.errors import BadInput

HEADER = "path,prompted_label,annotated_label,valence,arousal"
ROWS = ("angry/a.jpg,angry,angry,-0.8,0.9", "happy/b.jpg,happy,neutral,0.1,-0.2")


def corpus(folder: Path, *rows: str, header: str = HEADER) -> Path:
    """A folder with an index and the images that the two rows above name."""
    for name in ("angry/a.jpg", "happy/b.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        picture = np.random.default_rng(len(name)).integers(0, 255, (224, 224, 3), np.uint8)
        cv2.imwrite(str(folder / name), picture)
    (folder / "index.csv").write_text("\n".join([header, *(rows or ROWS)]) + "\n")
    return folder


def test_a_picture_shows_what_was_annotated(tmp_path: Path) -> None:
    found = read_corpus("diffusionfer", corpus(tmp_path))
    one, two = found.clips
    assert (one.id, one.label, one.kind) == ("angry/a", "angry", "angry")
    assert (two.id, two.label, two.kind) == ("happy/b", "neutral", "happy")
    assert two.attributes == {"valence": 0.1, "arousal": -0.2}
    assert one.speaker != two.speaker and found.licence.startswith("CC0")


def test_pictures_that_are_not_there_are_named(tmp_path: Path) -> None:
    found = read_corpus("diffusionfer", corpus(tmp_path, *ROWS, "sad/c.jpg,sad,sad,-0.1,0.0"))
    assert len(found.clips) == 2 and found.missing == ["sad/c.jpg: no such image"]


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        (("angry/a.jpg,angry,furious,-0.8,0.9",), HEADER, "line 2: 'furious' is none of angry"),
        ((*ROWS, "angry/a.jpg,angry,angry,0,0"), HEADER, "line 4: angry/a.jpg is listed twice"),
        (("angry/a.jpg,angry,angry,-1.2,0",), HEADER, "line 2: valence '-1.2' is no number from"),
        (("angry/a.jpg,angry,angry,0,high",), HEADER, "line 2: arousal 'high' is no number from"),
        (("angry/a.jpg,angry,angry,0",), HEADER, "line 2: fewer cells than columns"),
        (("x.jpg,sad,sad,0,0",), HEADER, "names no image that is there"),
        (ROWS, HEADER.replace("valence", "pleasure"), "line 1: no column valence"),
    ],
)
def test_bad_rows_are_one_line(
    tmp_path: Path, rows: tuple[str, ...], header: str, message: str
) -> None:
    with pytest.raises(BadInput, match=message) as error:
        read_corpus("diffusionfer", corpus(tmp_path, *rows, header=header))
    assert "\n" not in str(error.value)


def test_no_index_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "diffusionfer", str(tmp_path)]) == 2
    assert "index.csv: No such file" in capsys.readouterr().err


def test_the_published_pictures(shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = shared_data / "diffusionfer"
    found = read_corpus("diffusionfer", root)
    assert len(found.clips) == 1035 and not found.missing
    counts = Counter(clip.label for clip in found.clips)
    assert set(counts) == set(CLASSES) and counts["neutral"] == 339 and counts["disgust"] == 42
    assert main(["check", "diffusionfer", str(root), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    (picture,) = facts["pictures"]
    assert picture.startswith("224x224") and not facts["broken"]
