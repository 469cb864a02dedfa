"""The runs of a table: planned, trained and evaluated, each by itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from affuse.corpora.protocols.load import load_protocol
from affuse.errors import AffuseError
from affuse.evaluation.conditions import leaves
from affuse.evaluation.table.description import FACTS, Column, Row, Table
from affuse.evaluation.table.scoring import Scoring, open_stores_once
from affuse.execution.files import locked, write_json
from affuse.models.registry import MODELS
from affuse.training.opening import check_same_run, open_copy
from affuse.training.recipe import Recipe
from affuse.training.run import MODEL_FILE
from affuse.training.stores import with_shared_labels
from affuse.training.train import train

#: Beside the folds of a run: how long its training took, in seconds.
SECONDS_FILE = "seconds.json"


@dataclass(frozen=True)
class Planned:
    """A training of a row.

    Args:
        table: The table.
        row: The row.
        seed: Of the training.
        recipe: What is trained.
        stores: Where its streams are.
        copies: Stores of changed recordings of the same clips.
        out: Folder of the run.
        folds: Of the protocol.
    """

    table: Table
    row: Row
    seed: int
    recipe: Recipe
    stores: Sequence[Path]
    copies: Sequence[Path]
    out: Path
    folds: int

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.row.name}, seed {self.seed}"

    @property
    def trained(self) -> int:
        """How many folds are finished."""
        return self.folds - len(self.left)

    def scoring(self, column: Column) -> Scoring:
        """The evaluation that a column needs; those of one store and baseline share it."""
        alike = [x for x in self.scored if (x.on, x.baseline) == (column.on, column.baseline)]
        return Scoring(
            self.out,
            self.recipe,
            self.folds,
            (self.table.beside(column.on),) if column.on else tuple(self.stores),
            bool(column.on),
            column.baseline,
            list(dict.fromkeys(x.condition for x in alike)),
        )

    @property
    def scored(self) -> list[Column]:
        """The columns of scores that it has."""
        columns = self.table.columns
        return [x for x in columns if x.metric not in FACTS and not self.lacks(x)]

    def lacks(self, column: Column) -> str:
        """Why models of the recipe do not have a column; empty where they do."""
        if column.metric in FACTS:
            return ""
        modalities = {name.split("/", 1)[0] for name in self.recipe.streams}
        if not leaves(column.condition, modalities):
            return f"reads {' and '.join(sorted(modalities))} alone"
        if column.baseline != "none" and self.recipe.normalisation != "speaker":
            return "was not trained with normalisation=speaker"
        if column.on:
            data = open_stores_once((self.table.beside(column.on),))
            if gone := [name for name in self.recipe.streams if not data.has(name)]:
                return f"reads {gone[0]}, which {data.path} does not have"
        return ""

    @property
    def unscored(self) -> list[Scoring]:
        """The evaluations that are not made yet."""
        every = {(column.on, column.baseline): self.scoring(column) for column in self.scored}
        return [one for one in every.values() if one.left]

    @property
    def left(self) -> list[int]:
        """The folds that are not finished."""
        folds = range(self.folds)
        return [k for k in folds if not (self.out / f"fold{k}" / MODEL_FILE).is_file()]

    def train(
        self, folds: list[int], device: str, allow: Collection[str], say: Callable[[str], None]
    ) -> None:
        """Train some folds.

        Args:
            folds: Their numbers.
            device: As `train` takes it.
            allow: Kinds of leaks that are let pass.
            say: Called with a line about what is done.

        Raises:
            AffuseError: See `train`.
        """
        noted = time.monotonic()

        def note_seconds() -> None:
            nonlocal noted
            passed, noted = time.monotonic() - noted, time.monotonic()
            if (self.out / "run.json").is_file():
                with locked(self.out):  # other processes may train other folds
                    total = (seconds_of(self.out) or 0.0) + passed
                    write_json(self.out / SECONDS_FILE, round(total, 1))

        try:
            done = train(
                self.recipe, self.stores, self.out, folds, True, allow, device, say, self.copies
            )
            for fold, _ in done:
                note_seconds()
                say(f"{self.name}: fold {fold} of {self.folds} trained")
        finally:
            note_seconds()

    def score(self, device: str, say: Callable[[str], None]) -> None:
        """Score what is not scored, if all folds are trained.

        Args:
            device: Torch device; `auto` is the CPU.
            say: Called with a line about what is done.

        Raises:
            AffuseError: See `evaluate`.
        """
        where = "cpu" if device == "auto" else device
        for scoring in self.unscored if not self.left else ():
            for warning in scoring.make(where):
                say(f"{self.name}: {warning}")
            told = f"{', '.join(scoring.conditions)}; baseline {scoring.baseline}"
            on = f" on {scoring.data.path}" if scoring.on else ""
            say(f"{self.name}: scored{on} ({told})")


def seconds_of(run: Path) -> float | None:
    """How long the training of a run of a table took; None where that is not known."""
    try:
        return float(json.loads((run / SECONDS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def plan(
    table: Table, row: Row, stores: Sequence[Path], out: Path, copies: Sequence[Path] = ()
) -> list[Planned]:
    """The trainings of a row, one for each seed.

    Args:
        table: The table.
        row: One of its rows, of a recipe.
        stores: Of rows that name none; by default those that the table names.
        out: Folder of the table.
        copies: Stores of changed recordings of the same clips.

    Raises:
        BadInput: A run that is there was begun with another recipe, or a store cannot be opened.
        AffuseError: No store is given, or the protocol does not fit.
    """
    own = [table.beside(name) for name in row.store]
    own = own or list(stores) or [table.beside(name) for name in table.store]
    if not own:
        raise AffuseError(f"row {row.name}: say where the streams are, as store or with --store")
    data = open_stores_once(tuple(own))
    changed = [open_copy(data, path) for path in copies]
    found = []
    for seed in table.seeds:
        recipe = with_shared_labels(table.recipe(row, seed), data)
        MODELS[recipe.model["name"]]  # an unknown one is known before anything is trained
        run = out / "runs" / row.name / f"seed{seed}"
        if (run / "recipe.yaml").is_file():
            check_same_run(run, recipe, changed)
        folds = len(load_protocol(recipe.protocol, data.clips).folds)
        found.append(Planned(table, row, seed, recipe, own, copies, run, folds))
    return found
