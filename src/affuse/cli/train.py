"""`affuse train`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.cli.table import add_work, run_table
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.training.recipe import Recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("recipe", help="name (affuse list recipes) or YAML file")
    parser.add_argument(
        "changes",
        nargs="*",
        metavar="key=value",
        help="changes to the recipe, such as epochs=3 or optimiser.lr=1e-4; "
        "fold=0,1 trains some folds only",
    )
    parser.add_argument(
        "--store",
        type=Path,
        required=True,
        action="append",
        help="prepared streams; given several times, the corpora of all stores are trained on",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--copies",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="STORE",
        help="stores of the same clips with changed sound (prepare --change): every epoch reads a "
        "training clip from one of those of its corpus, or from --store",
    )
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument(
        "--device",
        default="auto",
        help="auto (default: a GPU where there is one), cpu, cuda, cuda:1 or mps",
    )
    parser.add_argument(
        "--allow",
        default="",
        metavar="KIND,...",
        help="train although the split has leaks of these kinds, and write them into the run "
        "(affuse list leaks; default: none)",
    )
    parser.add_argument(
        "--grid",
        nargs="+",
        default=[],
        metavar="KEY=VALUES",
        help="train every combination of values, such as model.name=late,early seed=1..3, and "
        "write a table; what is finished is not done again, what fails stops nothing else",
    )
    add_work(parser, "--grid")


def run(options: argparse.Namespace) -> int:
    """Train all folds, or those given; or a grid."""
    if options.grid:
        from affuse.evaluation.table.grid import Grid
        from affuse.training.processes import alone

        alone("--grid", "share its trainings by --jobs or --shard")
        grid = Grid.parse(options.recipe, options.changes, options.grid)
        return run_table("affuse train", grid.table(), options, folds=grid.folds)
    if wrong := [
        x
        for x in ("jobs", "site", "shard", "dry_run")
        if getattr(options, x) not in (None, False, 1)
    ]:
        raise AffuseError(f"--{wrong[0].replace('_', '-')} needs --grid")
    return _run_one(options)


def _run_one(options: argparse.Namespace) -> int:
    from affuse.training.processes import agreed, number, together
    from affuse.training.train import train

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with together():
        with agreed():
            recipe, folds = _chosen(options.recipe, options.changes)
        for fold, model in train(
            recipe,
            options.store,
            options.out,
            folds,
            options.resume,
            [kind for kind in options.allow.split(",") if kind],
            options.device,
            say,
            options.copies,
        ):
            if number() == 0:
                say(f"fold {fold}: {model}")
        if number() == 0:
            _say_what_was_left(options.out)
    return 0


def _chosen(name: str, texts: Sequence[str]) -> tuple[Recipe, list[int] | None]:
    """The recipe with its changes, and the folds that are wanted; None for all of them."""
    from affuse.training.recipe_files import load_recipe

    folds = None
    changes = []
    for change in texts:
        if change.startswith("fold="):
            try:
                folds = [int(k) for k in change.removeprefix("fold=").split(",")]
            except ValueError:
                raise AffuseError(f"{change!r} does not name folds such as fold=0,1") from None
        else:
            changes.append(change)
    return load_recipe(name, changes), folds


def _say_what_was_left(run: Path) -> None:
    """Clips that were not learned from, and leaks that were let pass."""
    from affuse.training.run import read_run

    facts = read_run(run)
    if unused := facts["clips"]["unused"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in unused.items())
        print(
            f"learned from {facts['clips']['learned']} clips, not from {reasons}", file=sys.stderr
        )
    for kind, count in facts["leaks"]["let_pass"].items():
        print(f"let pass: {kind} ({count} cases), as {run}/run.json says", file=sys.stderr)
