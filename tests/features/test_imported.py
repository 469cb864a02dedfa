"""Anybody's own features: which rows belong to which frame, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from affuse.corpora.clip import Clip, Corpus
from affuse.errors import AffuseError, BadInput
from affuse.features.catalogue import Rated, create_extractor, is_stream
from affuse.features.prepare import prepare
from affuse.features.store import Store
from affuse.features.stream import Stream

NAME = "video/imported-clip"


def extract(source: Path, clip: Clip | str, rate: float = 25.0) -> Stream:
    clip = Clip(clip) if isinstance(clip, str) else clip
    stream = create_extractor(NAME, Rated(source, rate)).extract(clip)
    assert stream is not None
    assert stream.values.dtype == np.float32 and stream.values.shape[:1] == stream.mask.shape
    assert not stream.values[~stream.mask].any(), "what is absent is zero"
    assert stream.start == 0.0
    return stream


def counted(rows: int, width: int = 3) -> np.ndarray:
    """Rows that tell their number, from 0."""
    return np.arange(rows)[:, None] + np.arange(width) / 10


def write_csv(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int32])
def test_an_array_is_taken_row_by_row(tmp_path: Path, dtype: type) -> None:
    np.save(tmp_path / "a.npy", counted(50).astype(dtype))
    extractor = create_extractor(NAME, Rated(tmp_path, 25.0))
    assert extractor.spec.rate == 25 and extractor.spec.shape == (3,)
    stream = extract(tmp_path, "a")
    np.testing.assert_array_equal(stream.values, counted(50).astype(dtype).astype(np.float32))
    assert stream.mask.all()


@pytest.mark.parametrize("header", [None, "x,y,z", "0,1,2"])
def test_a_table_says_the_same_as_an_array(tmp_path: Path, header: str | None) -> None:
    lines = [", ".join(map(str, row)) for row in counted(20)]
    write_csv(tmp_path / "a.csv", lines if header is None else [header, *lines])
    np.save(tmp_path / "b.npy", counted(20))
    one, other = (extract(tmp_path, name) for name in "ab")
    np.testing.assert_array_equal(one.values, other.values)
    assert len(one.mask) == 20 and one.mask.all()


@settings(max_examples=20, deadline=None)
@given(numbers=st.sets(st.integers(0, 30), min_size=1), rate=st.sampled_from([10.0, 25.0, 29.97]))
def test_a_row_in_a_file_of_its_own_is_numbered(
    tmp_path_factory: pytest.TempPathFactory, numbers: set[int], rate: float
) -> None:
    source = tmp_path_factory.mktemp("own")
    (source / "a").mkdir()
    first = 0 if 0 in numbers else 1
    for number in numbers:
        np.save(source / "a" / f"{number:03d}.npy", counted(31)[number])
    stream = extract(source, "a", rate)
    assert set(np.flatnonzero(stream.mask) + first) == numbers
    np.testing.assert_array_equal(
        stream.values[stream.mask], counted(31)[sorted(numbers)].astype(np.float32)
    )


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.sampled_from([0.0, 0.01, 0.04, 0.1, 0.5]), min_size=0, max_size=30),
    first=st.floats(-0.5, 2.0),
    rate=st.sampled_from([5.0, 25.0, 100.0]),
    start=st.sampled_from([0.0, 0.33]),
    end=st.sampled_from([None, 1.0, 3.7]),
)
def test_a_frame_is_the_row_that_is_nearest_in_time(
    tmp_path_factory: pytest.TempPathFactory,
    gaps: list[float],
    first: float,
    rate: float,
    start: float,
    end: float | None,
) -> None:
    times = np.round(first + np.cumsum([0.0, *gaps]), 3)
    path = tmp_path_factory.mktemp("own") / "a.csv"
    write_csv(path, ["time,x", *(f"{t},{k}" for k, t in enumerate(times))])
    stream = extract(path.parent, Clip("a", start=start, end=end), rate)
    frames = start + np.arange(len(stream.mask)) / rate
    last = times[-1] if end is None else min(end, times[-1])
    assert len(frames) == 1 or frames[-1] <= last + 1e-6, "nothing after the last row"
    assert end is None or len(frames) == 1 or frames[-1] < end
    if last > start and end is None:
        assert frames[-1] > last - 1 / rate - 1e-6, "nothing is left out at the end"
    distance = np.abs(times[None] - frames[:, None])
    period = max(1 / rate, np.median(np.diff(times)) if len(times) > 1 else 0)
    reach = 0.75 * period
    np.testing.assert_array_equal(stream.mask[distance.min(1) < reach - 1e-5], True)
    np.testing.assert_array_equal(stream.mask[distance.min(1) > reach + 1e-5], False)
    for frame in np.flatnonzero(stream.mask):
        taken = int(stream.values[frame, 0])
        assert distance[frame, taken] <= distance[frame].min() + 1e-5


def test_times_that_the_rate_fits_place_every_row_once(tmp_path: Path) -> None:
    rows = [f"{k / 25:.3f},{k}" for k in range(100) if not 40 <= k < 50]
    write_csv(tmp_path / "a.csv", ["timestamp,x", *rows])
    stream = extract(tmp_path, "a")
    assert set(np.flatnonzero(~stream.mask)) == set(range(40, 50))
    there = np.flatnonzero(stream.mask)
    np.testing.assert_array_equal(stream.values[there, 0], there)


def test_masked_and_missing_rows_are_absent(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["x,mask,y", "1,1,2", "3,0,4", "nan,1,6", "7,1,", "9,1,8"])
    extractor = create_extractor(NAME, Rated(tmp_path, 25.0))
    assert extractor.spec.shape == (2,) and extractor.spec.recipe["columns"] == ["x", "y"]
    stream = extract(tmp_path, "a")
    assert stream.mask.tolist() == [True, False, False, False, True]
    np.testing.assert_array_equal(stream.values[[0, 4]], [[1, 2], [9, 8]])
    values = counted(3)
    values[1, 2] = np.nan
    np.save(tmp_path / "b.npy", values[:, 1:])
    assert extract(tmp_path, "b").mask.tolist() == [True, False, True]


@pytest.mark.parametrize("kind", ["npy", "csv", "folder", "timed"])
@pytest.mark.parametrize(
    ("start", "end", "rows"),
    [(1.0, 2.0, range(25, 50)), (2.0, None, range(50, 100)), (3.6, 9.0, range(90, 100))],
)
def test_a_part_of_a_recording_is_cut(
    tmp_path: Path, kind: str, start: float, end: float | None, rows: range
) -> None:
    values = counted(100)
    if kind == "npy":
        np.save(tmp_path / "film.npy", values)
    elif kind == "folder":
        (tmp_path / "film").mkdir()
        for k, row in enumerate(values):
            np.save(tmp_path / "film" / f"{k}.npy", row)
    else:
        times = [f"{k / 25}," if kind == "timed" else "" for k in range(100)]
        lines = [t + ",".join(map(str, row)) for t, row in zip(times, values, strict=True)]
        write_csv(tmp_path / "film.csv", ["time,x,y,z", *lines] if kind == "timed" else lines)
    clip = Clip("x", audio=Path("sounds/film.wav"), start=start, end=end)
    stream = extract(tmp_path, clip)
    np.testing.assert_array_equal(stream.values, values[list(rows)].astype(np.float32))
    assert not extract(tmp_path, Clip("film", start=50.0)).mask.any()


def test_parts_between_rows_take_every_row_once(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", counted(1000))
    for start in (0.5, 0.02, 0.1, 1 / 3):
        numbers = extract(tmp_path, Clip("a", start=start)).values[:, 0]
        np.testing.assert_array_equal(np.diff(numbers), 1)
        assert abs(numbers[0] - start * 25) <= 0.5 + 1e-5


@pytest.mark.parametrize("values", [counted(1)[0], counted(1)])
def test_one_row_per_clip_is_never_cut(tmp_path: Path, values: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", values)
    write_csv(tmp_path / "b.csv", ["0.0,0.1,0.2"])
    for name in "ab":
        stream = extract(tmp_path, Clip(name, start=3.0, end=4.0), 0)
        np.testing.assert_array_equal(stream.values, counted(1).astype(np.float32))
    np.save(tmp_path / "c.npy", counted(2))
    with pytest.raises(BadInput, match=r"c\.npy: holds 2 rows; rate 0 stands for one row"):
        extract(tmp_path, "c", 0)


def test_a_clip_is_found_by_its_id_or_its_files(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    np.save(tmp_path / "sub" / "deep" / "b.npy", counted(2))
    np.save(tmp_path / "sub" / "deep.npy", counted(3))
    np.save(tmp_path / "v1.2.npy", counted(4))
    (tmp_path / "sub" / "deep" / "._b.npy").write_bytes(b"what an archiver left behind")
    assert len(extract(tmp_path, "sub/deep/b").mask) == 2
    assert len(extract(tmp_path, "sub/deep").mask) == 3, "the file before the folder"
    assert len(extract(tmp_path, Clip("x", video=Path("films/v1.2.mp4"))).mask) == 4
    extractor = create_extractor(NAME, Rated(tmp_path, 25.0))
    assert extractor.extract(Clip("b")) is None and extractor.sources(Clip("b")) == []


def test_names_and_rates(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", counted(2))
    for name in ("audio/imported-hubert", "video/imported-CLIP_b-32", "video/imported-3"):
        assert is_stream(name)
        assert create_extractor(name, {name: Rated(tmp_path, 25)}).spec.name == name
    for name in (
        "video/imported-",
        "video/own",
        "text/own-bert",
        "video/imported-a.b",
        "video/imported-a/b",
    ):
        assert not is_stream(name)
    with pytest.raises(AffuseError, match="is imported; say where from with --source"):
        create_extractor(NAME)
    with pytest.raises(
        AffuseError, match=r"needs the rate of its rows.*--rate video/imported-clip=25"
    ):
        create_extractor(NAME, tmp_path)
    for rate in (-1.0, float("nan"), float("inf")):
        with pytest.raises(AffuseError, match="is no rate in Hz"):
            create_extractor(NAME, Rated(tmp_path, rate))


def test_wrong_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nowhere: no such folder"):
        create_extractor(NAME, Rated(tmp_path / "nowhere", 25))
    with pytest.raises(BadInput, match=r"holds no \.npy or \.csv file"):
        create_extractor(NAME, Rated(tmp_path, 25))
    np.save(tmp_path / "a.npy", counted(2))
    with pytest.raises(BadInput, match=r"a\.npy: no such folder"):
        create_extractor(NAME, Rated(tmp_path / "a.npy", 25))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (counted(2, 4), r"has 4 values in a row; .*a\.npy has 3"),
        (counted(2)[0], r"shape \(3,\), not numbers \(T, D\)"),
        (np.zeros((2, 3, 1)), r"shape \(2, 3, 1\), not numbers \(T, D\)"),
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        (np.array([[1, 2, 3], [1, np.inf, 3]]), "row 2 holds an infinite value"),
        (np.array([[1, 2, 1e300]]), "row 1 holds an infinite value"),
        (np.array([[print] * 3], object), "pickled"),
        (np.array([["x"] * 3]), "not numbers"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr'", "damaged"),
    ],
)
def test_an_array_that_cannot_be_used_is_named(
    tmp_path: Path, content: np.ndarray | bytes, reason: str
) -> None:
    np.save(tmp_path / "a.npy", counted(2))
    if isinstance(content, bytes):
        (tmp_path / "b.npy").write_bytes(content)
    else:
        np.save(tmp_path / "b.npy", content)
    with pytest.raises(BadInput, match=rf"b\.npy: .*{reason}") as error:
        extract(tmp_path, "b")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["time,x,y", "0,1,2", "", "1,1,two"], "line 4: 'two' is no number"),
        (["time,x,y", "0,1,2", "1,1"], "line 3: 2 cells, 3 in the first"),
        (["time,x,y", "0,1,2", "1,inf,2"], "line 3: holds an infinite value"),
        (["time,x,y", "0,1,2", "1,1e39,2"], "line 3: holds an infinite value"),
        (["time,x,y", "1,1,2", "0.5,1,2"], "line 3: time runs backwards"),
        (["timestamp,x,y", "0,1,2", ",1,2"], "line 3: holds no timestamp"),
        (["time,timestamp,x,y", "0,0,1,2"], "both a column time and a column timestamp"),
        (["mask,x,y", "1,1,2", "0.5,1,2"], "line 3: mask is neither 0 nor 1"),
        (["mask,x,y", "1,1,2", ",1,2"], "line 3: mask is neither 0 nor 1"),
        (["time,mask", "0,1"], "has no column but time, mask"),
        (["x,y"], "holds no rows"),
        ([""], "holds no rows"),
        ([",x,y", "0,1,2"], "line 1: column 1 has no name"),
        ([",0,1", "0,1,2"], "line 1: column 1 has no name"),
        (["x,x", "1,2"], "line 1: two columns x"),
        (["x,z", "1,2"], "has other columns, or none with names, than"),
        (["1,2"], "has other columns, or none with names, than"),
        (["x,y,z", "1,2,3"], r"has 3 values in a row; .*a\.csv has 2"),
        (["x|y", "1|2"], r"line 2: '1\|2' is no number"),
        (["time,x,y", *(f"{40 * k},1,2" for k in range(100))], "ends at 3960 s, with 100 rows"),
        (["time,x,y", "1e300,1,2"], "ends at 1e.300 s, with 1 rows"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(
    tmp_path: Path, lines: list[str], reason: str
) -> None:
    write_csv(tmp_path / "a.csv", ["x,y", "1,2"])
    write_csv(tmp_path / "b.csv", lines)
    with pytest.raises(BadInput, match=rf"b\.csv: .*{reason}") as error:
        extract(tmp_path, "b")
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00\x80,1\n")
    with pytest.raises(BadInput, match=r"a\.csv: line 1: is no text in UTF-8 or UTF-16"):
        create_extractor(NAME, Rated(tmp_path, 25))


def test_prepare_again_sees_other_rows_and_another_rate(tmp_path: Path) -> None:
    source = tmp_path / "s"
    source.mkdir()
    for name in "ab":
        np.save(source / f"{name}.npy", counted(50))
    clips = [Clip("a", label="joy"), Clip("b", label="joy"), Clip("c", label="joy")]
    corpus = Corpus("folder", tmp_path, clips, ("joy",), "none")

    def run(rate: float) -> int:
        extractor = create_extractor(NAME, Rated(source, rate))
        return prepare(corpus, tmp_path / "store", [extractor]).computed

    assert (run(25), run(25), run(30)) == (3, 0, 3)
    np.save(source / "a.npy", 2 * counted(51))
    assert run(30) == 1
    stream = Store(tmp_path / "store").stream(NAME)
    assert stream.spec.rate == 30 and stream["a"].values[50, 0] == 100
    assert len(stream["b"].mask) == 50 and len(stream["c"].mask) == 0
