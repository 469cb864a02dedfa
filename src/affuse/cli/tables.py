"""Tables on the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

_WIDEST = 60


def print_table(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows under their column names; long cells go on in further lines.

    Args:
        rows: At least one, all with the same keys; None is an empty cell.
    """
    columns = list(rows[0])
    table = [[_lines(name) for name in columns]]
    table += [[_lines(row[name]) for name in columns] for row in rows]
    widths = [max(len(line) for row in table for line in row[k]) for k in range(len(columns))]
    for row in table:
        for number in range(max(map(len, row))):
            cells = (cell[number] if number < len(cell) else "" for cell in row)
            line = "  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True))
            print(line.rstrip())


def _lines(value: object) -> list[str]:
    text = f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)
    return textwrap.wrap(text, _WIDEST, break_on_hyphens=False, break_long_words=False) or [""]
