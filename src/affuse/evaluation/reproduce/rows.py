"""The registry of published table rows, from `rows.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from affuse.suggestions import unknown
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe

#: The two ways of doing a row again.
WAYS = ("published", "default")
Way = Literal["published", "default"]


@dataclass(frozen=True)
class Score:
    """One number of a row.

    Args:
        metric: `accuracy`, `uar`, `macro_f1` or `ccc`.
        condition: Of `evaluate`.
        dimension: Of continuous values; empty for classes.
        value: What the source states; None where nobody here has read it.
        published: Changes of the published recipe that this number needs.
    """

    metric: str
    condition: str = "av"
    dimension: str = ""
    value: float | None = None
    published: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What it is called in tables."""
        return " ".join(part for part in (self.metric, self.dimension, self.condition) if part)


@dataclass(frozen=True)
class Doing:
    """One way of doing a row again.

    Args:
        recipe: Its name.
        changes: Of the recipe.
        role: What is judged: `test`, or `development` where that is what was published.
        rule: Published rule of continuous values (`affuse.tasks.published_rules`), or empty.
        allow: Leaks that are let pass.
    """

    recipe: str
    changes: tuple[str, ...] = ()
    role: Literal["test", "development"] = "test"
    rule: str = ""
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One row of a published table.

    Args:
        name: What it is called here.
        paper: Who published it.
        place: Which row it is: corpus, variant, protocol.
        source: Where the values were read.
        scores: The numbers.
        corpus: Registry name; empty where it cannot be done here.
        not_here: Why it cannot; empty where it can.
        ways: Way -> how.
        weights: Recipe key or stream -> the file that it needs, and who has it.
        deviations: What is known to differ from the publication.
        rehearsal: `corpus`: size of the synthetic corpus; `folds`: way -> the fold that is trained;
            `changes` of both recipes, and those of `published` and `default`.
    """

    name: str
    paper: str
    place: str
    source: str
    scores: tuple[Score, ...]
    corpus: str = ""
    not_here: str = ""
    ways: Mapping[str, Doing] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    deviations: tuple[str, ...] = ()
    rehearsal: Mapping[str, Any] = field(default_factory=dict)

    def recipe(
        self, way: str, score: Score, changes: tuple[str, ...] = (), *, rehearsal: bool = False
    ) -> Recipe:
        """The recipe that a number is trained by.

        Args:
            way: One of `WAYS`.
            score: The number.
            changes: Of the user.
            rehearsal: Whether it is cut down for the synthetic corpus.
        """
        doing = self.ways[way]
        cut = (*self.rehearsal["changes"], *self.rehearsal.get(way, ())) if rehearsal else ()
        needed = score.published if way == "published" else ()
        return load_recipe(doing.recipe, [*doing.changes, *cut, *needed, *changes])


def load_rows() -> dict[str, Row]:
    """Name -> row."""
    path = Path(__file__).with_name("rows.yaml")
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {name: _row(name, row, told["systems"]) for name, row in told["rows"].items()}


def find_row(name: str) -> Row:
    """A row by its name.

    Raises:
        AffuseError: There is none.
    """
    rows = load_rows()
    if name not in rows:
        raise unknown("row", name, rows, "affuse reproduce --list")
    return rows[name]


def _row(name: str, told: dict[str, Any], systems: dict[str, Any]) -> Row:
    scores = tuple(
        Score(**score | {"published": tuple(score.get("published", ()))})
        for score in told["scores"]
    )
    if "system" not in told:
        facts = {key: told[key] for key in ("paper", "place", "source", "not_here")}
        return Row(name=name, scores=scores, **facts)
    system = systems[told["system"]]
    ways = {way: dict(system[way]) for way in WAYS}
    ways["published"]["changes"] = [
        *ways["published"].get("changes", ()),
        *told.get("published", ()),
    ]
    return Row(
        name=name,
        paper=system["paper"],
        place=told["place"],
        source=told["source"],
        scores=scores,
        corpus=system["corpus"],
        ways={
            way: Doing(**doing | {key: tuple(doing.get(key, ())) for key in ("changes", "allow")})
            for way, doing in ways.items()
        },
        weights=system["weights"],
        deviations=(*system["deviations"], *told.get("deviations", ())),
        rehearsal=system["rehearsal"],
    )
