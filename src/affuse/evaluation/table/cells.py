"""What stands in the cells of a table: scores over seeds and speakers, beside those of one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from affuse.errors import AffuseError, line_of
from affuse.evaluation.compare import compare_pair, conclude
from affuse.evaluation.predictions import ALL, Predictions, read_predictions
from affuse.evaluation.repeated import Repeated, repeated, repeated_pair, repeated_scores
from affuse.evaluation.table.description import FACTS, Column, Row, Table
from affuse.evaluation.table.runs import Planned, seconds_of
from affuse.features.speakers import AMOUNTS
from affuse.models.modelfile import load_model
from affuse.training.run import MODEL_FILE, trained_folds

#: A cell as JSON values, and the predictions that it is of.
Cell = tuple[dict[str, Any], Repeated | None]


class Missing(AffuseError):
    """Why a row does not have a column."""


def column_cells(
    table: Table,
    column: Column,
    planned: Mapping[str, Sequence[Planned]],
    failures: dict[str, str],
) -> list[dict[str, Any]]:
    """The cells of a column, one per row.

    Args:
        table: The table.
        column: One of its columns.
        planned: Trainings of the rows that are of recipes.
        failures: Row -> why it failed; those whose results cannot be read are added.

    Returns:
        JSON values: those of `repeated_scores`, and `against` as `compare` has it where the row is
        compared; or `missing` with the reason.
    """
    cells: list[Cell] = []
    for row in table.rows:
        try:
            if row.name in failures:
                raise Missing("failed")
            cells.append(_cell(table, row, column, planned.get(row.name, ())))
        except Missing as error:
            cells.append(({"missing": str(error)}, None))
        except Exception as error:  # whatever it is, the other rows do not suffer from it
            failures[row.name] = line_of(error)
            cells.append(({"missing": "failed"}, None))
    _compare(table, column, cells)
    return [facts for facts, _ in cells]


def _cell(table: Table, row: Row, column: Column, trainings: Sequence[Planned]) -> Cell:
    """The scores of a row, or why there are none."""
    for one in trainings:
        if reason := one.lacks(column):
            raise Missing(reason)
        if one.trained < one.folds:
            raise Missing("is not trained yet")
    if column.metric in FACTS:
        return _facts(table, row, column.metric, trainings), None
    parts: list[dict[str, Predictions]] = []
    for one in trainings:
        scoring = one.scoring(column)
        if scoring.left:
            raise Missing("is not scored yet")
        parts += scoring.read()
    if not trainings and column.on:
        raise Missing("is of results, not of a recipe")
    for name in row.results:
        parts.append(read_predictions(table.beside(name), baseline=column.baseline))
    tables = [_under(column, part) for part in parts]
    judged = repeated(tables)
    if column.key not in judged.metrics:
        raise Missing(f"has no {column.metric}")
    return repeated_scores(judged, column.key), judged


def _under(column: Column, parts: Mapping[str, Predictions]) -> Predictions:
    """The predictions of a table under the condition of a column."""
    # a table that does not say its condition is of all that there was
    named = ALL if column.condition == "av" and [*parts] == [ALL] else column.condition
    if named not in parts:
        raise Missing(f"has no condition {named} (there are: {', '.join(parts)})")
    if parts[named].baseline != AMOUNTS[column.baseline]:
        raise Missing(f"is of baseline {parts[named].baseline}")
    return parts[named]


def _facts(table: Table, row: Row, name: str, trainings: Sequence[Planned]) -> dict[str, Any]:
    """The size of the model, or the seconds of its training."""
    runs = [one.out for one in trainings] or [table.beside(run) for run in row.run]
    if not runs:
        raise Missing("is a table of predictions")
    if name == "parameters":
        model, _ = load_model(trained_folds(runs[0])[0] / MODEL_FILE)
        return {"value": sum(values.numel() for values in model.parameters())}
    each = [seconds_of(run) for run in runs]
    if None in each:
        raise Missing("was not trained here")
    return {"value": sum(x or 0 for x in each) / len(each), "each": each}


def _compare(table: Table, column: Column, cells: Sequence[Cell]) -> None:
    """Write into the cells how they compare with the row that they are compared with."""
    names = [row.name for row in table.rows]
    if not table.against or (main := cells[names.index(table.against)][1]) is None:
        return
    family = []
    for name, (facts, judged) in zip(names, cells, strict=True):
        if judged is None or name == table.against:
            continue
        try:
            compared = compare_pair(*repeated_pair(judged, main), column.key)
        except AffuseError as error:
            facts["against"] = {"missing": str(error)}
            continue
        facts["against"] = compared | {"first": name, "second": table.against}
        family.append(facts["against"])
    conclude(family, main.metrics[column.key])
