"""The file that describes a table: its rows, its columns, and what all rows share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from affuse.errors import AffuseError, BadInput
from affuse.evaluation.compare import ALIASES
from affuse.evaluation.conditions import CONDITIONS
from affuse.execution.fields import check_mapping
from affuse.execution.names import name_problem
from affuse.features.speakers import Amount
from affuse.metrics.jackknife import Metric
from affuse.metrics.over_time import SERIES_METRICS
from affuse.suggestions import unknown
from affuse.tasks.class_scores import CLASS_METRICS, RATER_METRICS
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe

T = TypeVar("T")

#: Columns that are no scores: how many numbers a model learns, and how long that took.
FACTS = ("parameters", "seconds")
_METRICS = {**CLASS_METRICS, **RATER_METRICS, **SERIES_METRICS}
_PAGE = "docs/reference/table-file.md"
_LISTS = ("store", "run", "predictions", "seeds")
_CHANGES = ("changes", "common", "protocols")


@dataclass(frozen=True)
class Row:
    """A row: one recipe, or results that are there already.

    Args:
        name: Of the row, and of the folder of its runs.
        recipe: Name of a recipe, or a file (`.yaml`).
        changes: Of the recipe, by dotted keys, after those of `Table.common`.
        store: Its own stores; by default those of the table.
        run: Instead of a recipe: runs whose clips were evaluated, one per seed.
        predictions: Instead of a recipe: tables of predictions, one per seed.
    """

    name: str
    recipe: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    store: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    predictions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name or "/" in self.name or name_problem(self.name):
            raise ValueError(f"name is {self.name!r}; expected a word that can name a folder")
        given = [key for key in ("recipe", "run", "predictions") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError("expected one of recipe, run and predictions")
        if not self.recipe and (self.changes or self.store):
            raise ValueError(f"changes and store are for a recipe, not for {given[0]}")

    @property
    def results(self) -> tuple[str, ...]:
        """Results that are there already."""
        return self.run + self.predictions


@dataclass(frozen=True)
class Column:
    """A column: a metric under a condition.

    Args:
        metric: Of `affuse compare`, or one of `FACTS`.
        condition: What is there at test time (`CONDITIONS`).
        baseline: What is known of the speakers of clips.
        on: Another store that is scored, of changed recordings or of another corpus; see `Scoring`.
        name: Its heading; by default what it is.
    """

    metric: str
    condition: str = "av"
    baseline: Amount = "none"
    on: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        if self.metric not in FACTS and self.kind is None:
            raise unknown("metric", self.metric, [*_METRICS, *FACTS])
        CONDITIONS[self.condition]

    @property
    def key(self) -> str:
        """The metric as scores call it."""
        return ALIASES.get(self.metric, self.metric)

    @property
    def kind(self) -> Metric | None:
        """What the metric is; None of `FACTS`."""
        if self.key in _METRICS:
            return _METRICS[self.key]
        of_dimension = (x for name, x in SERIES_METRICS.items() if self.key.startswith(f"{name}_"))
        return next(of_dimension, None)

    @property
    def heading(self) -> str:
        """What stands above it."""
        if self.name or self.metric in FACTS:
            return self.name or self.metric
        known = "" if self.baseline == "none" else f", baseline {self.baseline}"
        where = f", on {Path(self.on).name}" if self.on else ""
        return f"{self.metric}, {self.condition}{known}{where}"


@dataclass(frozen=True)
class Shift:
    """Instead of rows and columns: corpora by corpora, trained on one and tested on all.

    Args:
        recipe: Name of a recipe, or a file (`.yaml`); its corpus and protocol do not count.
        metric: As of a column.
        condition: As of a column.
        baseline: As of a column.
        protocols: Corpus -> protocol of its own speakers, where it is not five folds of them.
    """

    recipe: str
    metric: str = "uar"
    condition: str = "av"
    baseline: Amount = "none"
    protocols: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Column(self.metric, self.condition, self.baseline)


@dataclass(frozen=True)
class Table:
    """A table.

    Args:
        name: Its caption.
        rows: From top to bottom.
        columns: From left to right.
        shift: Instead of both; see `affuse.evaluation.table.shift.spread`.
        store: Prepared streams of all rows, in one or several stores.
        seeds: Of the trainings of each recipe.
        common: Changes of all recipes, by dotted keys.
        against: The row that the others are compared with.
        path: The file; what it names lies beside it.
    """

    name: str
    rows: tuple[Row, ...] = ()
    columns: tuple[Column, ...] = ()
    shift: Shift | None = None
    store: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1,)
    common: Mapping[str, Any] = field(default_factory=dict)
    against: str = ""
    path: Path = Path()

    def __post_init__(self) -> None:
        if self.shift is None and not (self.rows and self.columns):
            raise ValueError(f"has no {'columns' if self.rows else 'rows'}")
        names = [row.name for row in self.rows]
        for what, several in (("name", names), ("heading", [x.heading for x in self.columns])):
            if twice := [one for one in several if several.count(one) > 1]:
                raise ValueError(f"two {what}s are {twice[0]!r}")
        if len({*self.seeds}) < len(self.seeds) or not self.seeds:
            raise ValueError("seeds must be different numbers, one at least")
        if "seed" in self.common or any("seed" in row.changes for row in self.rows):
            raise ValueError("seed is no change; name all of them as seeds")
        if self.against and names and self.against not in names:
            raise unknown("row", self.against, names)

    def beside(self, name: str) -> Path:
        """A file that the table names."""
        return self.path.parent / name

    def recipe(self, row: Row, seed: int) -> Recipe:
        """What is trained for a row.

        Raises:
            AffuseError: There is no such recipe, or a change is wrong.
        """
        return self.load(row.recipe, {**row.changes, "seed": seed})

    def load(self, recipe: str, changes: Mapping[str, Any]) -> Recipe:
        """A recipe of the table with changes, after those of `common`."""
        source = self.beside(recipe) if Path(recipe).suffix else recipe
        return load_recipe(source, {**self.common, **changes})


def read_table(path: Path) -> Table:
    """The table that a file describes.

    Raises:
        BadInput: The file is absent, no YAML mapping, or holds a wrong key or value.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(path, "no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(path, "is not YAML: " + " ".join(str(error).split())) from error
    try:
        return _table(path, values)
    except (ArgumentError, TypeError, ValueError, AffuseError) as error:
        raise BadInput(path, " ".join(str(error).split())) from None


def _table(path: Path, values: Any) -> Table:
    """The table of plain values, strictly."""
    checked = _checked(Table, values, "the table", ("path",))
    parts: dict[str, Any] = {}
    if "shift" in checked:
        if both := [name for name in ("rows", "columns") if name in checked]:
            raise ValueError(f"{both[0]} and shift exclude each other")
        parts["shift"] = _made(Shift, checked["shift"], "shift")
    else:
        for name, kind in (("rows", Row), ("columns", Column)):
            several = checked.get(name)
            if not isinstance(several, list):
                raise ValueError(f"{name} must be a list")
            parts[name] = tuple(
                _made(kind, one, f"{name.removesuffix('s')} {number}")
                for number, one in enumerate(several, 1)
            )
    ready = ("rows", "columns", "shift")
    table = Table(**_typed(Table, {**checked, **parts}, ready), path=path)
    if table.shift is not None:
        table.load(table.shift.recipe, {})
    for row in table.rows:
        if row.recipe:
            try:
                table.recipe(row, table.seeds[0])
            except AffuseError as error:
                raise ValueError(f"row {row.name}: {error}") from None
    return table


def _made(kind: type[T], values: Any, where: str) -> T:
    """A row or column of plain values; the error says which."""
    try:
        return kind(**_typed(kind, _checked(kind, values, where)))
    except (ArgumentError, TypeError, ValueError, AffuseError) as error:
        raise ValueError(f"{where}: {error}") from None


def _checked(kind: type, values: Any, where: str, ours: Sequence[str] = ()) -> dict[str, Any]:
    """A mapping with known keys alone; single values stand for lists of one."""
    if not isinstance(values, dict):
        raise ValueError(f"expected keys with values for {where}")
    known = [one.name for one in fields(kind) if one.name not in ours]
    if wrong := [key for key in values if key not in known]:
        raise unknown("key", str(wrong[0]), known, _PAGE)
    return {k: [x] if k in _LISTS and not isinstance(x, list) else x for k, x in values.items()}


def _typed(kind: type, values: dict[str, Any], ready: Sequence[str] = ()) -> dict[str, Any]:
    """Values of the types of a dataclass; changes of recipes, and those that are ready, as is."""
    kept = {key: values[key] for key in (*ready, *_CHANGES) if key in values}
    for key in kept.keys() & _CHANGES:
        check_mapping(key, kept[key])
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(kind, skip={*ready, *_CHANGES, "path"})
    rest = parser.parse_object({key: x for key, x in values.items() if key not in kept})
    return {**parser.instantiate(rest).as_dict(), **kept}
