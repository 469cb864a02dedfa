"""Tables are as wide as the terminal, and nothing in them is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from affuse.cli.list import KINDS
from affuse.cli.main import main
from affuse.cli.tables import print_table

words = st.text("abcdefgh", min_size=1, max_size=14)
texts = st.lists(words, max_size=40).map(" ".join)
tables = st.integers(1, 7).flatmap(
    lambda columns: st.lists(
        st.tuples(words, *[texts | st.integers(0, 10**7) | st.none()] * columns),
        min_size=1,
        max_size=5,
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tables, st.sampled_from([60, 80, 120]))
def test_no_line_is_too_long_and_no_word_is_lost(
    capsys: pytest.CaptureFixture[str], table: list[tuple[str | int | None, ...]], width: int
) -> None:
    names = [f"c{k}" for k in range(len(table[0]))]
    capsys.readouterr()
    print_table([dict(zip(names, row, strict=True)) for row in table], width)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= width
    found = re.findall(r"[a-h\d,]+", printed)
    for cell in (cell for row in table for cell in row if cell is not None):
        for word in (f"{cell:,}" if isinstance(cell, int) else cell).split():
            assert word in found


@pytest.mark.parametrize("kind", KINDS)
def test_lists_fit_a_terminal(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for width in (80, 100, 200):
        monkeypatch.setenv("COLUMNS", str(width))
        assert main(["list", kind]) == 0
        assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_long_names_break_after_slashes_and_hyphens_where_they_must(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {"a": "x", "b": "audio/logmel64-tsav " * 3, "c": "y" * 38}
    print_table([row], 60)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    column = slice(lines[0].index("b"), lines[0].index("c"))
    broken = "".join(line[column] for line in lines[1:]).replace(" ", "")
    assert broken == "audio/logmel64-tsav" * 3
