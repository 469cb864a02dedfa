"""Timelines as data frames, figures and files, from Python."""

from __future__ import annotations

import base64
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.inference.recordings import values_model

import affuse
from affuse.errors import BadInput
from affuse.inference.predictor import Predictor
from affuse.interchange.formats import read_coding
from affuse.tasks.prediction import Prediction


@pytest.fixture(scope="module")
def classes(examples: Path) -> Prediction:
    return Predictor(hop=0.4).predict(examples / "talk.mp4")


@pytest.fixture(scope="module")
def values(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Prediction:
    model = values_model(tmp_path_factory.mktemp("values") / "m.safetensors")
    return Predictor(model).predict(examples / "talk.mp4")


@pytest.fixture(params=["classes", "values"])
def timeline(request: pytest.FixtureRequest) -> Prediction:
    found: Prediction = request.getfixturevalue(request.param)
    return found


def test_the_data_frame_is_the_csv(timeline: Prediction, tmp_path: Path) -> None:
    table = timeline.to_pandas()
    timeline.save(tmp_path / "t.csv")
    written = pd.read_csv(tmp_path / "t.csv")
    assert list(table.columns) == list(written.columns)
    for name in table.columns:
        if pd.api.types.is_numeric_dtype(table[name]):
            np.testing.assert_allclose(
                table[name].astype(float), written[name].astype(float), atol=0.06, err_msg=name
            )
        else:
            same = [table[name].tolist(), written[name].tolist()]
            texts = [["" if pd.isna(x) else x for x in column] for column in same]
            assert texts[0] == texts[1]


def test_numbers_are_not_rounded(classes: Any, values: Any) -> None:
    table = classes.to_pandas()
    np.testing.assert_array_equal(
        table[classes.classes].to_numpy(np.float32), classes.probabilities
    )
    assert table["emotion"].tolist() == [classes.said(k) for k in range(len(classes.starts))]
    table = values.to_pandas()
    np.testing.assert_array_equal(table["time"], values.times)
    np.testing.assert_array_equal(table[values.dimensions].to_numpy(np.float32), values.values)
    assert table["frame"].tolist() == list(range(1, len(values.times) + 1))


def test_rows_without_an_answer_are_nan(classes: Any) -> None:
    moments = np.zeros(len(classes.starts), bool)
    moments[0] = True
    table = classes.without(moments).to_pandas()
    assert table.loc[0, classes.classes].isna().all() and table.loc[0, "emotion"] == "withheld"
    assert table.loc[1:, classes.classes].notna().all(axis=None)


def test_tables_go_to_parquet_and_back(timeline: Prediction, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    table = timeline.to_pandas()
    table.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table)


def test_a_figure_of_its_own_or_axes_of_mine(timeline: Prediction, tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    figure = timeline.plot()
    assert isinstance(figure, Figure) and len(figure.axes) >= 3
    mine = Figure()
    axes = mine.add_subplot()
    assert timeline.plot(axes) is mine and mine.axes == [axes]
    assert len(axes.lines) > 0 and axes.get_xlabel() == "seconds"
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or pyplot.get_fignums() == []


def test_settings_of_matplotlib_stay_as_they_are(timeline: Prediction) -> None:
    import matplotlib

    with matplotlib.rc_context({"font.size": 3.0}):
        timeline.plot()
        assert matplotlib.rcParams["font.size"] == 3.0


def test_a_folder_gets_the_files_of_the_command(timeline: Prediction, tmp_path: Path) -> None:
    timeline.save(tmp_path / "new" / "folder")
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert names == {"talk.csv", "talk.json", "talk.png", "talk.html"}
    facts = json.loads((tmp_path / "new" / "folder" / "talk.json").read_text())
    there = (tmp_path / "new" / "folder" / facts["path"]).resolve()
    assert there == timeline.source.resolve()


@pytest.mark.parametrize("name", ["t.json", "t.html", "t.png", "t.svg", "t.pdf"])
def test_one_file_by_its_suffix(classes: Prediction, tmp_path: Path, name: str) -> None:
    classes.save(tmp_path / name)
    classes.save(str(tmp_path / name))  # again
    assert [path.name for path in tmp_path.iterdir()] == [name]
    begins = {".png": b"\x89PNG", ".pdf": b"%PDF", ".json": b"{", ".html": b"<!", ".svg": b"<?xml"}
    assert (tmp_path / name).read_bytes().startswith(begins[Path(name).suffix])


@pytest.mark.parametrize("name", ["t.eaf", "t.TextGrid", "t.boris.tsv", "t.vtt", "t.labels.txt"])
def test_files_of_annotation_programs_are_not_written_over(
    classes: Prediction, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    classes.save(path)
    assert read_coding(path, "talk.mp4").segments
    classes.save(path)  # the same
    path.write_text(path.read_text() + "\n")
    with pytest.raises(BadInput, match="may hold corrections"):
        classes.save(path)
    assert [one.name for one in tmp_path.iterdir()] == [name]


def test_a_video_with_what_is_read(classes: Prediction, tmp_path: Path) -> None:
    classes.save(tmp_path / "t.mp4")
    assert affuse.predict(tmp_path / "t.mp4").duration == pytest.approx(classes.duration, abs=0.1)


def test_a_recording_in_memory(examples: Path, tmp_path: Path) -> None:
    timeline = affuse.predict((examples / "talk.mp4").read_bytes())
    timeline.save(tmp_path)
    timeline.save(tmp_path)  # it is the same one
    facts = json.loads((tmp_path / "recording.json").read_text())
    assert facts["source"] == "recording" and "path" not in facts
    assert next(csv.DictReader((tmp_path / "recording.csv").open()))["emotion"] == timeline.emotion
    with pytest.raises(BadInput, match=r"^recording: was in memory"):
        timeline.save(tmp_path / "recording.mp4")
    assert not (tmp_path / "recording.mp4").exists()


def test_a_wrong_suffix_is_told(classes: Prediction, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"t\.xlsx: name a folder, or a file that ends in one of"):
        classes.save(tmp_path / "t.xlsx")


def test_what_a_notebook_and_a_prompt_show(timeline: Prediction) -> None:
    kind = type(timeline).__name__
    assert repr(timeline) == f"{kind}('talk.mp4', 1.20 s, {timeline.headline})"
    tag = timeline._repr_html_()
    assert tag.startswith('<img alt="talk.mp4')
    image = base64.b64decode(tag.partition("base64,")[2].partition('"')[0])
    assert image.startswith(b"\x89PNG") and len(image) < 300_000
