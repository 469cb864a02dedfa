"""Tables in the formats that papers, pages and programs take."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from affuse.errors import AffuseError
from affuse.execution.files import write_text

#: What LaTeX takes for a command, or prints as something else -> how it is written.
_ESCAPED = str.maketrans(
    {
        **{letter: f"\\{letter}" for letter in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "|": r"\textbar{}",
    }
)
#: One table: rows with the same keys, whose cells are text or numbers; None is an empty cell.
Rows = Sequence[Mapping[str, object]]


def write_paper_table(rows: Rows, path: Path, caption: str = "") -> None:
    """Write a table in the format that the name ends with.

    Args:
        rows: At least one; the keys of the first are the columns.
        path: `.csv`, `.md` (a pipe table) or `.tex` (booktabs).
        caption: Of the LaTeX table; below that of Markdown.

    Raises:
        AffuseError: The name ends otherwise.
        NotWritten: The file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise AffuseError(f"{path}: expected a name that ends in {', '.join(FORMATS)}")
    write_text(path, FORMATS[path.suffix.lower()](rows, caption))


def csv_table(rows: Rows, caption: str = "") -> str:
    """The rows as comma-separated text."""
    return pd.DataFrame(list(rows)).to_csv(index=False, lineterminator="\n")


def markdown_table(rows: Rows, caption: str = "") -> str:
    """The rows as a pipe table of Markdown."""
    names = list(rows[0])
    cells = [[_text(row[name]).replace("|", r"\|") for name in names] for row in rows]
    lines = [names, ["---"] * len(names), *cells]
    below = f"\n{caption}\n" if caption else ""
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + below


def latex_table(rows: Rows, caption: str = "") -> str:
    """The rows as a LaTeX table; the preamble needs `\\usepackage{booktabs}`."""
    names = list(rows[0])
    cells = [[_text(row[name]).translate(_ESCAPED) for name in names] for row in rows]
    columns = ["r" if all(is_number(row[name]) for row in rows) else "l" for name in names]
    text = pd.DataFrame(cells, columns=[name.translate(_ESCAPED) for name in names]).to_latex(
        index=False,
        escape=False,
        column_format="".join(columns),
        caption=caption.translate(_ESCAPED) or None,
        position="t" if caption else None,
    )
    return text.replace("\\caption", "\\centering\n\\caption", 1)


FORMATS: Mapping[str, Callable[[Rows, str], str]] = {
    ".csv": csv_table,
    ".md": markdown_table,
    ".tex": latex_table,
}


def _text(value: object) -> str:
    return "" if value is None else str(value)


def is_number(value: object) -> bool:
    """Whether a cell begins with a number, such as `0.71* [0.65, 0.77]`, or is a dash or empty."""
    first = _text(value).split(" ", 1)[0].rstrip("*†–").lstrip("<").replace(",", "")
    try:
        float(first or 0)
    except ValueError:
        return False
    return True
