"""A recipe under every combination of some values, as a table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from affuse.errors import AffuseError
from affuse.evaluation.compare import DEFAULT_METRICS
from affuse.evaluation.table.description import FACTS, Column, Row, Table
from affuse.training.recipe_files import load_recipe, parse_change

#: Combinations at most: more are a slip of the keyboard.
_MOST = 10_000
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_UNFIT = re.compile(r"[^\w.=+,-]+")


@dataclass(frozen=True)
class Grid:
    """A recipe, and the values that some of its keys take.

    Args:
        recipe: Name, or a file.
        changes: Of all combinations, by dotted keys.
        values: Key -> values, `seed` and `fold` left out.
        seeds: Of the trainings of each combination.
        folds: That are trained; all by default.
    """

    recipe: str
    changes: dict[str, Any]
    values: dict[str, list[Any]]
    seeds: list[int]
    folds: list[int] | None

    @classmethod
    def parse(cls, recipe: str, changes: Sequence[str], grid: Sequence[str]) -> Grid:
        """A grid as typed.

        Args:
            recipe: Name, or a file.
            changes: Such as `epochs=3`; `seed` and `fold` as in the grid.
            grid: Such as `model.name=late,early`, `seed=1..3`.

        Raises:
            AffuseError: A key is given twice, or a value is wrong.
        """
        values: dict[str, list[Any]] = {}
        for text in grid:
            key, equals, listed = text.partition("=")
            if not equals or not listed:
                raise AffuseError(f"--grid {text!r}: expected KEY=VALUE,VALUE,... or KEY=1..3")
            if key in values:
                raise AffuseError(f"--grid names {key} twice")
            values[key] = [x for part in _parts(listed) for x in _expanded(key, part)]
            if twice := [x for x in values[key] if values[key].count(x) > 1]:
                raise AffuseError(f"--grid {key}: the value {twice[0]} is there twice")
        fixed = dict(parse_change(text) for text in changes)
        if both := [key for key in fixed if key in values]:
            raise AffuseError(f"{both[0]} is in the grid and a change")
        seeds = values.pop("seed", None) or [fixed.pop("seed", load_recipe(recipe).seed)]
        folds = values.pop("fold", None)
        for name, numbers in (("seed", seeds), ("fold", folds or [])):
            if wrong := [x for x in numbers if not isinstance(x, int) or x < 0]:
                raise AffuseError(f"--grid {name}: {wrong[0]!r} is no {name}")
        return cls(recipe, fixed, values, seeds, folds)

    def table(self) -> Table:
        """The table: a row for each combination, the metrics of its task in columns.

        Raises:
            AffuseError: A combination is no recipe, or there are too many.
        """
        count = 1
        for several in self.values.values():
            count *= len(several)
        if count > _MOST:
            raise AffuseError(f"the grid has {count:,} combinations; {_MOST:,} at most")
        rows, recipes = [], []
        for chosen in product(*self.values.values()):
            own = dict(zip(self.values, chosen, strict=True))
            name = ",".join(f"{key}={_plain(value)}" for key, value in own.items()) or "recipe"
            try:
                recipes.append(load_recipe(self.recipe, {**self.changes, **own}))
                rows.append(Row(name, self.recipe, own))
            except (AffuseError, ValueError) as error:
                raise AffuseError(f"{name}: {error}") from None
        tasks = {recipe.task for recipe in recipes}
        if len(tasks) > 1:
            raise AffuseError(f"the grid mixes tasks: {', '.join(sorted(tasks))}")
        metric = DEFAULT_METRICS[tasks.pop()]
        read = [{name.split("/", 1)[0] for name in recipe.streams} for recipe in recipes]
        alone = sorted({x for modalities in read if len(modalities) > 1 for x in modalities})
        columns = [Column(metric, condition) for condition in ("av", *alone)]
        return Table(
            self.recipe,
            tuple(rows),
            (*columns, *map(Column, FACTS)),
            seeds=tuple(self.seeds),
            common=self.changes,
        )


def _parts(listed: str) -> list[str]:
    """The values between commas; commas inside of brackets and braces belong to a value."""
    parts, depth = [""], 0
    for letter in listed:
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def _expanded(key: str, text: str) -> list[Any]:
    """A value, or those of a range such as 1..3, both ends included."""
    match = _RANGE.fullmatch(text)
    if match is None:
        if not text:
            raise AffuseError(f"--grid {key}: a value is empty")
        return [parse_change(f"{key}={text}")[1]]
    first, last = int(match[1]), int(match[2])
    if not first <= last < first + _MOST:
        raise AffuseError(f"--grid {key}: {text} is no range; expected LOW..HIGH")
    return list(range(first, last + 1))


def _plain(value: Any) -> str:
    """A value as part of the name of a folder."""
    return _UNFIT.sub("-", str(value)).strip("-") or "none"
