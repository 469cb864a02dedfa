"""Several recordings at once; one that cannot be used does not cost the others."""

from __future__ import annotations

import io
import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import affuse
from affuse.errors import AffuseError, BadInput
from affuse.inference.predictor import Predictor


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor(low_quality="keep")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, examples: Path) -> Path:
    """Two recordings of one name in folders, one that is broken, and what is no recording."""
    root = tmp_path_factory.mktemp("interviews")
    for name, source in (("anna/1.wav", "p1-happy"), ("ben/1.wav", "p2-sad")):
        (root / name).parent.mkdir()
        shutil.copy(examples / "recordings" / f"{source}.wav", root / name)
    (root / "broken.mp4").write_text("no recording")
    (root / "notes.txt").write_text("no recording")
    return root


def test_a_folder_gives_its_recordings_by_name(
    folder: Path, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with caplog.at_level(logging.WARNING, "affuse"):
        found = affuse.predict(folder, low_quality="keep")
    assert isinstance(found, affuse.Predictions)
    assert set(found) == {"anna/1", "ben/1"}
    assert set(found.failures) == {"broken"}
    assert "decode" in found.failures["broken"].reason
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    table = found.to_pandas()
    assert list(table.columns[:4]) == ["recording", "start", "end", "emotion"]
    rows = {name: len(timeline.known) for name, timeline in found.items()}
    assert table["recording"].tolist() == [name for name in rows for _ in range(rows[name])]
    found.save(tmp_path / "out")
    written = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.*")}
    assert {"anna/1.csv", "anna/1.json", "anna/1.png", "anna/1.html", "ben/1.csv"} <= written
    again = affuse.predict(folder / "anna" / "1.wav", low_quality="keep")
    first: Any = found["anna/1"]
    np.testing.assert_array_equal(again.probabilities, first.probabilities)


def test_a_pattern_a_list_and_an_iterator(predictor: Predictor, folder: Path) -> None:
    by_pattern = dict(predictor.predict_many(folder / "*" / "1.wav"))
    assert set(by_pattern) == {"anna/1", "ben/1"}
    paths = [folder / "anna" / "1.wav", folder / "missing.wav"]
    listed = dict(predictor.predict_many(paths))
    assert isinstance(listed["1"], affuse.Timeline)
    assert isinstance(listed["missing"], BadInput) and listed["missing"].reason == "no such file"
    one_by_one = predictor.predict_many(path for path in paths)
    assert next(one_by_one)[0] == "1"
    assert isinstance(next(one_by_one)[1], BadInput)


def test_names_of_what_is_in_memory(predictor: Predictor, folder: Path) -> None:
    data = (folder / "anna" / "1.wav").read_bytes()
    found = dict(predictor.predict_many([data, io.BytesIO(data), b"broken"]))
    assert list(found) == ["recording", "recording_2", "recording_3"]
    assert str(found["recording_3"]).startswith("recording_3: not a recording")
    named = affuse.predict({"before": data, "after": folder / "ben" / "1.wav"})
    assert named["before"].source == Path("before")
    assert named["after"].source == folder / "ben" / "1.wav"


def test_a_folder_without_recordings_is_a_failure(tmp_path: Path) -> None:
    found = affuse.predict(tmp_path)
    assert found == {} and found.failures[str(tmp_path)].reason == "holds no recording"
    assert found.to_pandas().empty


def test_what_is_no_recording_ends_all(predictor: Predictor) -> None:
    with pytest.raises(AffuseError, match="a int is no recording"):
        list(predictor.predict_many([1]))


def test_people_in_memory(predictor: Predictor, examples: Path) -> None:
    data = (examples / "talk.mp4").read_bytes()
    (main, *others) = affuse.predict_people(data)
    assert not others and main.source == Path("recording") and main.people == 1
    assert isinstance(main.to_pandas(), pd.DataFrame)
