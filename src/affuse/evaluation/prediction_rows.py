"""The rows of a table of predictions, checked one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from affuse.errors import BadInput
from affuse.execution.tables import Sheet, read_header, rows_of
from affuse.tasks.class_scores import SHARES, VOTES, ClassTable
from affuse.tasks.dimensional_scores import SeriesTable
from affuse.tasks.judgement import ANNOTATED, FRAMES

#: Column -> cell.
Row = dict[str, str]
#: Fold, or nothing, and clip.
Key = tuple[str, str]
#: How far probabilities may be from a sum of 1; they are brought to it.
_SLACK = 1e-3


class Rows(ABC):
    """The rows of a table under one condition.

    Args:
        sheet: The table.
        columns: Its columns.
    """

    #: Whether a clip has one row, or one for every frame.
    one_each: bool

    def __init__(self, sheet: Sheet, columns: Sequence[str]) -> None:
        self.sheet, self.columns = sheet, columns
        #: Fold and clip -> the first row.
        self.clips: dict[Key, Row] = {}

    def add(self, line: int, row: Row) -> None:
        """Take a row.

        Raises:
            BadInput: It cannot be used; the line is named.
        """
        clip = row["clip"]
        if not clip:
            raise self.wrong(line, "has no clip")
        key = row.get("fold", ""), clip
        if key in self.clips and self.one_each:
            raise self.wrong(line, f"clip {clip} is there twice")
        self.clips.setdefault(key, row)
        self.take(line, row, key)

    def wrong(self, line: int, reason: str) -> BadInput:
        """The error of a line."""
        return BadInput(self.sheet.path, f"line {line}: {reason}")

    def numbers(self, line: int, row: Row, columns: Sequence[str]) -> np.ndarray:
        """(C,) the numbers of some columns.

        Raises:
            BadInput: One is not finite.
        """
        found = np.array([self.sheet.finite(row[name]) for name in columns])
        if len(bad := np.flatnonzero(np.isnan(found))):
            name = columns[bad[0]]
            raise self.wrong(line, f"{name} of clip {row['clip']} is no finite number")
        return found

    @abstractmethod
    def take(self, line: int, row: Row, key: Key) -> None:
        """Keep what a row says about a clip."""

    @abstractmethod
    def table(self, keys: Sequence[Key]) -> ClassTable | SeriesTable:
        """What was predicted of clips, in this order."""


class ClassRows(Rows):
    """Probabilities of classes (`p_<class>`), and votes of raters where there are any."""

    one_each = True

    def __init__(self, sheet: Sheet, columns: Sequence[str]) -> None:
        super().__init__(sheet, columns)
        self.names = _after(SHARES, columns)
        voted = _after(VOTES, columns)
        self._votes = [f"{VOTES}{name}" for name in self.names] if voted else []
        for missing in sorted({*self.names} ^ {*voted}) if voted else ():
            raise BadInput(sheet.path, f"has not both {SHARES}{missing} and {VOTES}{missing}")
        if "label" not in columns and not voted:
            raise BadInput(sheet.path, "has no column label")
        self._rows: dict[Key, tuple[int, int, np.ndarray, np.ndarray | None]] = {}

    def take(self, line: int, row: Row, key: Key) -> None:
        """See `Rows.take`."""
        shares = self.numbers(line, row, [f"{SHARES}{name}" for name in self.names])
        total = shares.sum()
        if shares.min() < 0 or abs(total - 1) > _SLACK:
            said = f"{total:.4g}" if shares.min() >= 0 else f"{total:.4g}, one is negative"
            raise self.wrong(line, f"probabilities of clip {row['clip']} sum to {said}, not to 1")
        votes = self.numbers(line, row, self._votes) if self._votes else None
        if votes is not None and (votes.min() < 0 or not votes.any()):
            raise self.wrong(line, f"clip {row['clip']} has no votes of raters")
        first = -1 if votes is None else int(votes.argmax())
        true = self._class(line, row, "label", first)
        predicted = self._class(line, row, "predicted", int(shares.argmax()))
        self._rows[key] = true, predicted, shares / total, votes

    def _class(self, line: int, row: Row, column: str, otherwise: int) -> int:
        """The number of the class in a column, or another where there is no such column."""
        if column not in row:
            return otherwise
        if row[column] not in self.names:
            there = ", ".join(self.names)
            raise self.wrong(line, f"{column} {row[column]!r} is no class (there are: {there})")
        return self.names.index(row[column])

    def table(self, keys: Sequence[Key]) -> ClassTable:
        """See `Rows.table`."""
        true, predicted, shares, votes = zip(*(self._rows[key] for key in keys), strict=True)
        voted = np.array(votes) if self._votes else None
        return ClassTable(self.names, np.array(true), np.array(predicted), np.array(shares), voted)


class SeriesRows(Rows):
    """Values of dimensions beside `annotated_<dimension>`, in a row or in a file per clip."""

    def __init__(self, sheet: Sheet, columns: Sequence[str]) -> None:
        super().__init__(sheet, columns)
        self.one_each = FRAMES in columns
        self.names: list[str] = [] if self.one_each else _dimensions(sheet.path, columns)
        self._values: dict[Key, list[np.ndarray]] = {}

    def take(self, line: int, row: Row, key: Key) -> None:
        """See `Rows.take`; frames without annotation are left out."""
        if self.one_each:
            found = self._frames(line, row)
        else:
            frame = self._frame(line, row)
            found = [] if frame is None else [frame]
        if found:
            self._values.setdefault(key, []).extend(found)
        elif key not in self._values:
            del self.clips[key]  # so far nobody annotated it

    def _frame(self, line: int, row: Row) -> np.ndarray | None:
        """(2 D,) predicted and annotated values of a frame; None where it was not annotated."""
        annotated = [f"{ANNOTATED}{name}" for name in self.names]
        if not any(row[name] for name in annotated):
            return None
        return self.numbers(line, row, [*self.names, *annotated])

    def _frames(self, line: int, row: Row) -> list[np.ndarray]:
        """The same of all frames in a file that a row names."""
        path = self.sheet.path.parent / row[FRAMES]
        if not path.is_file():
            raise self.wrong(line, f"no such file: {row[FRAMES]}")
        sheet = Sheet(path)
        _, columns = read_header(sheet, iter(sheet), ())
        names = _dimensions(path, columns)
        if self.names and names != self.names:
            raise BadInput(path, f"has {', '.join(names)}; others have {', '.join(self.names)}")
        self.names = names
        own = SeriesRows(sheet, columns)
        rows = rows_of(sheet, iter(sheet), ())
        frames = (own._frame(number, {**cells, "clip": row["clip"]}) for number, cells in rows)
        return [frame for frame in frames if frame is not None]

    def table(self, keys: Sequence[Key]) -> SeriesTable:
        """See `Rows.table`."""
        clips = [np.array(self._values[key]) for key in keys]
        size = len(self.names)
        return SeriesTable(self.names, [x[:, :size] for x in clips], [x[:, size:] for x in clips])


def _after(start: str, columns: Iterable[str]) -> list[str]:
    """What follows in the names of the columns that begin with a word."""
    return [name.removeprefix(start) for name in columns if name.startswith(start)]


def _dimensions(path: Path, columns: Sequence[str]) -> list[str]:
    """The dimensions that are annotated.

    Raises:
        BadInput: There is none, or one has no predicted values.
    """
    names = _after(ANNOTATED, columns)
    if not names:
        raise BadInput(path, f"has no column {SHARES}<class> and no {ANNOTATED}<dimension>")
    if lacking := [name for name in names if name not in columns]:
        raise BadInput(path, f"has {ANNOTATED}{lacking[0]} and no column {lacking[0]}")
    return names
