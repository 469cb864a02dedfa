"""Numbers that are missing are absent frames; infinite ones are refused where they appear."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.corpora.annotation import read_annotation
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.published_lists import read_listing
from affuse.errors import BadInput
from affuse.evaluation.held_back import read_shares
from affuse.features.alignment import check_alignment
from affuse.features.arrays import ArrayRows
from affuse.features.emoca import Emoca
from affuse.features.extractor import Extractor
from affuse.features.imported import Imported
from affuse.features.openface import OpenFace
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.tasks.dimensional_files import Judged, write_judged

ROWS, WIDTH = 6, 3
CLIP = Clip("a", label="joy")
#: What stands for a number that is missing, in a table and in an array.
MISSING = ["", "nan", "NaN", "-nan(ind)", "NA", "#N/A"]
LARGE = ["inf", "-inf", "1e39", "1e400", "-1e308"]


def numbers() -> np.ndarray:
    return np.arange(ROWS * WIDTH, dtype=np.float64).reshape(ROWS, WIDTH) / 8


def text(cell: float | str) -> str:
    return cell if isinstance(cell, str) else repr(cell)


def with_cell(row: int, column: int, cell: str) -> list[list[str]]:
    cells = [[text(x) for x in values] for values in numbers().tolist()]
    cells[row][column] = cell
    return cells


def lines(path: Path, header: str, rows: list[list[str]]) -> None:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")


def own_table(folder: Path, rows: list[list[str]]) -> Extractor:
    lines(folder / "a.csv", "x,y,z", rows)
    return Imported("video/imported-x", folder, 30.0)


def own_array(folder: Path, rows: list[list[str]]) -> Extractor:
    np.save(folder / "a.npy", as_array(rows))
    return Imported("video/imported-x", folder, 30.0)


def own_folder(folder: Path, rows: list[list[str]]) -> Extractor:
    (folder / "a").mkdir(exist_ok=True)
    for number, row in enumerate(as_array(rows), 1):
        np.save(folder / "a" / f"{number}.npy", row)
    return Imported("video/imported-x", folder, 30.0)


def corpus_array(folder: Path, rows: list[list[str]]) -> Extractor:
    (folder / "a").mkdir(exist_ok=True)
    np.save(folder / "a" / "x.npy", as_array(rows))
    return ArrayRows(StreamSpec("video/imported-x", 30.0, (WIDTH,)), folder, "x")


def openface(folder: Path, rows: list[list[str]]) -> Extractor:
    timed = [[f"{k / 30:.6f}", "1", *row] for k, row in enumerate(rows)]
    lines(folder / "a.csv", "timestamp, success, AU01_r, AU02_r, AU04_c", timed)
    return OpenFace(folder)


def as_array(rows: list[list[str]]) -> np.ndarray:
    return np.array(
        [[float(cell) if cell not in MISSING else math.nan for cell in r] for r in rows]
    )


SOURCES = {f.__name__: f for f in (own_table, own_array, own_folder, corpus_array, openface)}
places = st.tuples(st.integers(0, ROWS - 1), st.integers(0, WIDTH - 1))
drawn = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def extract(extractor: Extractor) -> Stream:
    stream = extractor.extract(CLIP)
    assert stream is not None
    return stream


@pytest.mark.parametrize("kind", SOURCES)
@drawn
@given(place=places, cell=st.sampled_from(MISSING))
def test_a_missing_number_is_an_absent_frame(
    tmp_path_factory: pytest.TempPathFactory, kind: str, place: tuple[int, int], cell: str
) -> None:
    if kind == "own_folder" and place[0] == 0:
        place = (1, place[1])  # the first file tells the width
    row, column = place
    stream = extract(SOURCES[kind](tmp_path_factory.mktemp(kind), with_cell(row, column, cell)))
    assert np.flatnonzero(~stream.mask).tolist() == [row]
    expected = numbers().astype(np.float32)
    expected[row] = 0
    np.testing.assert_array_equal(stream.values, expected)


@pytest.mark.parametrize("kind", SOURCES)
@drawn
@given(place=places, cell=st.sampled_from(LARGE))
def test_an_infinite_number_is_refused_with_its_place(
    tmp_path_factory: pytest.TempPathFactory, kind: str, place: tuple[int, int], cell: str
) -> None:
    row, column = place
    with pytest.raises(BadInput) as error:
        extract(SOURCES[kind](tmp_path_factory.mktemp(kind), with_cell(row, column, cell)))
    found = {
        "own_folder": f"{row + 1}.npy: row 1 holds an infinite value (number {column + 1})",
        "own_table": f"a.csv: line {row + 2}: holds an infinite value (number {column + 1})",
        "openface": f"a.csv: line {row + 2}: holds an infinite value (number {column + 1})",
    }.get(kind, f".npy: row {row + 1} holds an infinite value (number {column + 1})")
    assert str(error.value).endswith(found)


def test_what_openface_did_not_see_may_hold_anything(tmp_path: Path) -> None:
    rows = [["0", "1", "1", "2", "1"], ["0.033", "0", "inf", "-nan(ind)", "0"]]
    lines(tmp_path / "a.csv", "timestamp,success,AU01_r,AU02_r,AU04_c", rows)
    stream = extract(OpenFace(tmp_path))
    assert stream.mask[0] and not stream.mask[1:].any() and np.isfinite(stream.values).all()


@pytest.mark.parametrize("cell", MISSING)
def test_a_clip_without_a_mean_is_absent(tmp_path: Path, cell: str) -> None:
    lines(tmp_path / "t.csv", "id,AU01_r,AU02_r", [["a ", "1", cell], ["b", "2", "3"]])
    source = OpenFace(tmp_path / "t.csv")
    assert not extract(source).mask.any()
    other = source.extract(Clip("b"))
    assert other is not None and other.mask.all() and other.values.tolist() == [[2, 3]]


def test_times_that_are_none_and_clips_that_are_listed_twice_are_named(tmp_path: Path) -> None:
    header = "timestamp,success,AU01_r"
    lines(tmp_path / "a.csv", header, [["0", "1", "1"], ["nan", "1", "1"]])
    with pytest.raises(BadInput, match=r"a\.csv: line 3: holds no timestamp"):
        extract(OpenFace(tmp_path))
    lines(tmp_path / "t.csv", "id,AU01_r", [["a", "1"], ["b", "2"], ["a ", "3"]])
    with pytest.raises(BadInput, match=r"t\.csv: line 4: a is in line 2 too"):
        extract(OpenFace(tmp_path / "t.csv"))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_codes_of_emoca_are_finite(tmp_path: Path, value: float) -> None:
    codes = np.zeros((4, 50))
    codes[2, 7] = value
    np.save(tmp_path / "a.npy", codes)
    with pytest.raises(BadInput, match=r"a\.npy: holds values that are not finite \(row 3, 1 in"):
        extract(Emoca(tmp_path))


@pytest.mark.parametrize("cell", LARGE)
def test_annotations_are_finite(tmp_path: Path, cell: str) -> None:
    lines(tmp_path / "a.csv", "time,joy", [["0", "1"], ["1", cell]])
    with pytest.raises(BadInput, match=r"a\.csv: line 3: "):
        read_annotation(tmp_path / "a.csv")


@pytest.mark.parametrize("cell", ["inf", "nan", "1e300", "-1"])
def test_shares_of_raters_are_numbers(tmp_path: Path, cell: str) -> None:
    lines(tmp_path / "l.csv", "file,joy,anger", [["a", "0.5", "0.5"], ["b", cell, "0"]])
    with pytest.raises(BadInput, match=r"line 3: .* in column joy is no share of votes"):
        read_listing(tmp_path / "l.csv", "folder", [Clip("a"), Clip("b")], ("joy", "anger"))


@settings(max_examples=10, deadline=None)
@given(
    kind=st.sampled_from(sorted(SOURCES)),
    place=places,
    cell=st.sampled_from([*MISSING, *LARGE]),
)
def test_no_store_holds_a_frame_that_is_there_and_not_finite(
    tmp_path_factory: pytest.TempPathFactory, kind: str, place: tuple[int, int], cell: str
) -> None:
    root = tmp_path_factory.mktemp("store")
    (root / "source").mkdir()
    extractor = SOURCES[kind](root / "source", with_cell(0, 0, "0"))
    with suppress(BadInput):  # the first file tells the width, and may be the wrong one
        SOURCES[kind](root / "source", with_cell(*place, cell))
    corpus = Corpus("folder", root, [CLIP], ("joy",), "none")
    report = prepare(corpus, root / "store", [extractor])
    stored = Store(root / "store").stream(extractor.spec.name)
    assert (cell in LARGE) == bool(report.failures) == ("a" not in stored)
    if "a" in stored:
        assert np.isfinite(stored["a"].values).all()
        assert np.flatnonzero(~stored["a"].mask).tolist() == [place[0]]
        said = check_alignment(root / "store", [CLIP], [extractor])
        if kind != "corpus_array":
            assert f"{extractor.spec.name}: 1 of 6 frames in 1 clips are absent" in said[0]


def test_predictions_that_are_no_probabilities_are_named(tmp_path: Path) -> None:
    spec = SimpleNamespace(outputs=("joy", "anger"))
    header = "condition;clip;speaker;label;p_joy;p_anger"
    rows = ["av;a;a1 ;joy;0,75;0,25", "av;b;A2;anger;0,5;0,5", "audio;b;A2;anger;0,9;0,1"]
    path = tmp_path / "predictions.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    labels, shares, baseline = read_shares(path, spec, {"b"})
    assert labels == ["joy"] and shares.tolist() == [[0.75, 0.25]] and baseline == "none"
    path.write_text("\n".join([header, rows[0], "av;c;a3;joy;nan;0,5"]) + "\n")
    with pytest.raises(BadInput, match="line 3: p_joy of clip c is no finite number"):
        read_shares(path, spec, set())


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/../../../x", "x" * 300, "a\0b", ".."])
def test_predictions_of_any_clip_lie_below_the_results(tmp_path: Path, name: str) -> None:
    values, there = np.zeros((3, 1), np.float32), np.ones(3, bool)
    one = Judged(0, Clip(name), values, values, there, values, there, [0.0])
    out = tmp_path / "deep" / "er" / "out"
    write_judged(out, {"conditions": {}}, {"av": [one]}, ["joy"])
    (written,) = (tmp_path / "deep/er/out/predictions/av/fold0").rglob("*.csv")
    assert len(written.read_text().splitlines()) == 4
    others = {path for path in tmp_path.rglob("*") if path.is_file()} - {written}
    assert {path.parent for path in others} == {tmp_path / "deep/er/out"}
