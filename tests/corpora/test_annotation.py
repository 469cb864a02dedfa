from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.corpora.annotation import read_annotation
from affuse.errors import BadInput

here = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
value = st.floats(-1, 1).map(lambda x: round(x, 4))


def written(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@here
@given(rows=st.lists(st.one_of(st.none(), st.tuples(value, value)), min_size=1, max_size=40))
def test_rows_per_picture_come_back_as_they_were_written(
    tmp_path: Path, rows: list[tuple[float, float] | None]
) -> None:
    lines = ["-5,-5" if row is None else f"{row[0]},{row[1]}" for row in rows]
    track = read_annotation(written(tmp_path / "a.txt", "valence,arousal", *lines))
    assert track.names == ("valence", "arousal") and track.times is None
    assert track.values.dtype == np.float32 and track.values.shape == (len(rows), 2)
    assert track.valid.tolist() == [row is not None for row in rows]
    np.testing.assert_allclose(track.values, [row or (0, 0) for row in rows], atol=1e-6)


@here
@given(
    steps=st.lists(st.floats(0.001, 100), min_size=1, max_size=30),
    names=st.permutations(["time", "fear", "joy", "calm"]),
    data=st.data(),
)
def test_rows_with_times_come_back_as_they_were_written(
    tmp_path: Path, steps: list[float], names: list[str], data: st.DataObject
) -> None:
    times = np.cumsum(steps)
    cell = st.one_of(st.none(), st.floats(-1e3, 1e3))
    dimensions = [name for name in names if name != "time"]
    cells = [{name: data.draw(cell) for name in dimensions} for _ in times]
    lines = [
        ",".join("" if (v := {"time": t, **row}[name]) is None else repr(v) for name in names)
        for t, row in zip(times.tolist(), cells, strict=True)
    ]
    track = read_annotation(written(tmp_path / "a.csv", ",".join(names), *lines))
    assert track.names == tuple(dimensions)
    np.testing.assert_array_equal(track.times, times)
    for row, wanted in enumerate(cells):
        values = list(wanted.values())
        assert track.valid[row] == (None not in values)
        expected = values if track.valid[row] else np.zeros(3)
        np.testing.assert_allclose(track.values[row], expected, rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("row", ["-5,0.3", "0.3,-5.0", "-5.0,-5.0", "-1.2,0"])
def test_a_row_with_a_value_below_minus_one_is_not_valid(tmp_path: Path, row: str) -> None:
    track = read_annotation(written(tmp_path / "a.txt", "valence,arousal", "0.5,-1", row))
    assert track.valid.tolist() == [True, False]
    assert not track.values[1].any()


def test_a_byte_order_mark_carriage_returns_and_quotes_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbf"time","valence"\r\n0,0.25\r\n1.5,-0.5\r\n\r\n')
    assert read_annotation(path).values[:, 0].tolist() == [0.25, -0.5]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["0.1,0.2", "0.3,0.4"], "line 1: columns 0.1,0.2; expected valence,arousal"),
        (["arousal,valence", "0,0"], "line 1: columns arousal,valence"),
        (["seconds,valence", "0,0"], "line 1: .* a column time"),
        (["time", "0"], "line 1: columns time; expected different names"),
        (["time,joy,joy", "0,0,0"], "line 1: columns time,joy,joy"),
        (["valence,arousal"], "holds no row"),
        (["valence,arousal", "0,0", "0.1,high"], "line 3: arousal is not a number: 'high'"),
        (["valence,arousal", "0,nan"], "line 2: arousal is not a number: 'nan'"),
        (["valence,arousal", "0,"], "line 2: arousal is not a number: ''"),
        (["valence,arousal", "0,0", "0.5"], "line 3: 1 values, expected 2"),
        (["valence,arousal", "0,0", "", "0,0"], "line 3: 0 values, expected 2"),
        (["valence,arousal", "0,0", "0,1.01"], "line 3: arousal 1.01 is above 1"),
        (["time,joy", "0,0", ",1"], "line 3: time is not a number: ''"),
        (["time,joy", "0,0", "1,0", "1,0"], "line 4: time 1 is not after 1"),
        (["time,joy", "0,0", "2,0", "1.5,0"], "line 4: time 1.5 is not after 2"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, lines: list[str], reason: str
) -> None:
    path = written(tmp_path / "trial.txt", *lines)
    with pytest.raises(BadInput, match=reason) as error:
        read_annotation(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_files_that_are_no_tables_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        read_annotation(tmp_path / "absent.txt")
    with pytest.raises(BadInput, match="not a file"):
        read_annotation(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(BadInput, match="is empty"):
        read_annotation(tmp_path / "empty.txt")
    (tmp_path / "picture.txt").write_bytes(b"\xff\xd8\xff\xe0\x00")
    with pytest.raises(BadInput, match="not a text file"):
        read_annotation(tmp_path / "picture.txt")
