"""Tables as CSV, Markdown and LaTeX."""

import csv
from pathlib import Path

import pytest

from affuse.errors import AffuseError
from affuse.evaluation.paper_tables import write_paper_table

ROWS: list[dict[str, object]] = [
    {"model": "late_100%", "accuracy": "0.71 [0.65, 0.77]", "note": "a | b"},
    {"model": "early<2", "accuracy": "0.65*", "note": None},
]


def test_a_table_of_commas_is_read_back(tmp_path: Path) -> None:
    write_paper_table(ROWS, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert found == [{key: value or "" for key, value in row.items()} for row in ROWS]


def test_a_pipe_table_keeps_its_columns(tmp_path: Path) -> None:
    write_paper_table(ROWS, tmp_path / "t.md")
    assert (tmp_path / "t.md").read_text(encoding="utf-8").splitlines() == [
        "| model | accuracy | note |",
        "| --- | --- | --- |",
        r"| late_100% | 0.71 [0.65, 0.77] | a \| b |",
        "| early<2 | 0.65* |  |",
    ]


def test_latex_has_rules_and_escapes(tmp_path: Path) -> None:
    write_paper_table(ROWS, tmp_path / "t.tex", "What run_a found, 95 %")
    text = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"\begin{tabular}{lrl}" in text
    assert r"late\_100\% & 0.71 [0.65, 0.77] & a \textbar{} b \\" in text
    assert r"early\textless{}2 & 0.65*" in text
    assert "\\begin{table}[t]\n\\centering\n" in text
    assert r"\caption{What run\_a found, 95 \%}" in text
    assert [text.count(rule) for rule in (r"\toprule", r"\midrule", r"\bottomrule")] == [1, 1, 1]


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match=r"t\.docx: expected a name that ends in \.csv, \.md"):
        write_paper_table(ROWS, tmp_path / "t.docx")
