"""Tables on the terminal, as wide as it is; 80 columns where it is none."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence

_WIDEST = 60
#: Text in columns narrower than this is hard to read, and paragraphs in those of twice the width.
_NARROW = 16
_PARAGRAPH = 150
_GAP = 2


def print_table(rows: Sequence[Mapping[str, object]], width: int | None = None) -> None:
    """Print rows under their column names; nothing is cut off.

    Long cells go on in further lines. The last columns of a table that does not fit stand below
    each row, by name, where they are not empty.

    Args:
        rows: At least one, all with the same keys; None is an empty cell.
        width: Columns of the terminal; by default those it has.
    """
    width = width or terminal_width()
    columns = list(rows[0])
    cells = {name: [name, *(_text(row[name]) for row in rows)] for name in columns}
    beside = len(columns)
    least = [_least(cells[name], number) for number, name in enumerate(columns)]
    while beside > 1 and _sum(least[:beside]) > width:
        beside -= 1
    widths = _widths([cells[name] for name in columns[:beside]], width)
    for number in range(len(rows) + 1):
        parts = [
            _wrapped(cells[name][number], room)
            for name, room in zip(columns[:beside], widths, strict=True)
        ]
        for line in range(max(map(len, parts))):
            words = (part[line] if line < len(part) else "" for part in parts)
            padded = (word.ljust(room) for word, room in zip(words, widths, strict=True))
            print((" " * _GAP).join(padded).rstrip())
        for name in columns[beside:] if number else ():
            if text := cells[name][number]:
                print(_below(f"{name}: {text}", width))


def terminal_width() -> int:
    """Columns of the terminal, or what COLUMNS says; 80 where the output is none."""
    if sys.stdout is not None and sys.stdout.isatty():
        return shutil.get_terminal_size().columns
    return shutil.get_terminal_size((80, 24)).columns


def _below(text: str, width: int) -> str:
    return textwrap.fill(
        text,
        width,
        initial_indent="    ",
        subsequent_indent="      ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "" if value is None else str(value)


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _least(cells: Sequence[str], number: int) -> int:
    """The width that a column needs: its names in the first whole, else their parts."""
    longest = max(map(len, cells))
    parts = [part for cell in cells for part in (cell.split() if number == 0 else _pieces(cell))]
    readable = min(longest, _NARROW if longest < _PARAGRAPH else 2 * _NARROW)
    return min(max(max(map(len, parts), default=0), readable), _WIDEST)


def _widths(columns: Sequence[Sequence[str]], width: int) -> list[int]:
    """Widths that fit; what is left over goes to the columns with the longest cells."""
    least = [_least(cells, number) for number, cells in enumerate(columns)]
    wanted = [min(max(map(len, cells)), _WIDEST) for cells in columns]
    widths = [min(one, most) for one, most in zip(least, wanted, strict=True)]
    while _sum(widths) < width:
        short = [k for k, room in enumerate(widths) if room < wanted[k]]
        if not short:
            break
        neediest = max(short, key=lambda k: sum(map(len, columns[k])) / widths[k])
        widths[neediest] += 1
    return widths


def _pieces(text: str) -> list[str]:
    """Where a long word may be broken: after slashes and hyphens."""
    return [piece for word in text.split() for piece in re.findall(r"[^/-]*[/-]?", word) if piece]


def _wrapped(text: str, room: int) -> list[str]:
    """Lines of a cell; words that are longer than the column break after slashes and hyphens."""
    lines = [""]
    for word in text.split():
        parts = [word] if len(word) <= room else _pieces(word)
        for k, part in enumerate(parts):
            joined = lines[-1] + (" " if lines[-1] and k == 0 else "") + part
            if len(joined) <= room or not lines[-1]:
                lines[-1] = joined
            else:
                lines.append(part)
    return lines
