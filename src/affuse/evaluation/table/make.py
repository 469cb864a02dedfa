"""From the description of a table to the table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError
from affuse.evaluation.table.cells import column_cells
from affuse.evaluation.table.description import Column, Row, Table
from affuse.evaluation.table.runs import Planned, plan
from affuse.evaluation.table.shift import add_others
from affuse.evaluation.table.work import EVERYTHING, Orders, left_to_train, work
from affuse.suggestions import unknown


def plan_table(
    table: Table, stores: Sequence[Path], out: Path, copies: Sequence[Path] = ()
) -> dict[str, list[Planned]]:
    """The trainings of all rows that are of recipes.

    Args:
        table: The table.
        stores: Of rows that name none; by default those that the table names.
        out: Folder of the table.
        copies: Stores of changed recordings of the same clips.

    Returns:
        Name of the row -> its trainings.

    Raises:
        AffuseError: A row cannot be trained, or a run of it is there with another recipe.
    """
    found = {}
    for row in table.rows:
        if row.recipe:
            try:
                found[row.name] = plan(table, row, stores, out, copies)
            except AffuseError as error:
                raise AffuseError(f"row {row.name}: {error}") from None
    return found


def plan_lines(
    planned: Mapping[str, Sequence[Planned]], chosen: Collection[str], orders: Orders
) -> list[str]:
    """What is to be done, a line for each row and one for all."""
    lines = []
    for name, trainings in planned.items():
        folds, done = (sum(getattr(x, key) for x in trainings) for key in ("folds", "trained"))
        todo = sum(bool(one.unscored) for one in trainings)
        told = f"{done} of {folds} folds trained, {todo} of {len(trainings)} runs to score"
        lines.append(f"{name}: {told}{'' if name in chosen else ', left as it is'}")
    left = left_to_train({name: planned[name] for name in planned if name in chosen}, orders)
    own = "" if orders.share.is_all else f" (shard {orders.share})"
    return [*lines, f"to do: {left} folds to train{own}"]


def make_table(
    table: Table,
    planned: Mapping[str, Sequence[Planned]],
    only: Sequence[str] = (),
    orders: Orders = EVERYTHING,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Train and score what is left to do, and fill the table in.

    What one row ends with stops no other: its cells are empty, and `failures` says why.

    Args:
        table: The table.
        planned: Of `plan_table`.
        only: Rows that are trained and scored; all by default. Others are taken as they are.
        orders: How the work is done.
        say: Called with a line about what is done.

    Returns:
        JSON values: `name`, `against`, `seeds`, `columns`, `rows` with their `cells`, `failures`.
    """
    failures = work(planned, [row.name for row in chosen_rows(table, only)], orders, say)
    cells = {x.heading: column_cells(table, x, planned, failures) for x in table.columns}
    result = {
        "name": table.name,
        "against": table.against or None,
        "seeds": list(table.seeds),
        "columns": [_told(column) for column in table.columns],
        "rows": [
            {"name": row.name, **_source(row), "cells": {h: own[k] for h, own in cells.items()}}
            for k, row in enumerate(table.rows)
        ],
        "failures": failures,
    }
    if table.shift is not None:
        add_others(result)
    return result


def chosen_rows(table: Table, only: Sequence[str]) -> list[Row]:
    """The rows of some names, in the order of the table; all of them without names.

    Raises:
        AffuseError: There is no such row.
    """
    names = [row.name for row in table.rows]
    if wrong := [name for name in only if name not in names]:
        raise unknown("row", wrong[0], names)
    return [row for row in table.rows if not only or row.name in only]


def _told(column: Column) -> dict[str, Any]:
    """A column as JSON values."""
    if column.kind is None:
        return {"heading": column.heading, "metric": column.metric}
    return {
        "heading": column.heading,
        "metric": column.key,
        "best": column.kind.best,
        "condition": column.condition,
        "baseline": column.baseline,
        **({"on": Path(column.on).name} if column.on else {}),
    }


def _source(row: Row) -> dict[str, Any]:
    """What a row is of, as JSON values."""
    if row.recipe:
        return {"recipe": row.recipe, "changes": dict(row.changes)}
    return {"run": list(row.run)} if row.run else {"predictions": list(row.predictions)}
