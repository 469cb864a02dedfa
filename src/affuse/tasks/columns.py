"""The columns of a timeline: what its CSV and its data frame have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from affuse.execution.files import write_csv

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Column:
    """A column, with a value for each row.

    Args:
        name: Of the column.
        values: (N,) numbers, NaN where there is none; or whole numbers or texts, None where there
            is none.
        digits: Behind the point, in files; None for whole numbers and texts.
    """

    name: str
    values: np.ndarray | Sequence[Any]
    digits: int | None = None

    def cell(self, row: int) -> str:
        """A value as it is written; empty where there is none."""
        value = self.values[row]
        if value is None or (self.digits is not None and np.isnan(value)):
            return ""
        if self.digits is None:
            return str(value)
        return f"{round(float(value), self.digits) + 0.0:.{self.digits}f}"  # no negative zero


def write_columns(path: Path, columns: Sequence[Column]) -> None:
    """Write a CSV."""
    count = len(columns[0].values)
    rows = ([column.cell(row) for column in columns] for row in range(count))
    write_csv(path, [column.name for column in columns], rows)


def data_frame(columns: Iterable[Column]) -> pandas.DataFrame:
    """The columns as a data frame; whole numbers with gaps are of pandas' type `Int64`."""
    import pandas

    def series(column: Column) -> Any:
        values = column.values
        if column.digits is None and any(isinstance(x, int) for x in values):
            return pandas.array(list(values), dtype="Int64" if None in values else "int64")
        return np.asarray(values) if column.digits is not None else list(values)

    return pandas.DataFrame({column.name: series(column) for column in columns})
