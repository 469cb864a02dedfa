"""`affuse train`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.cli.table import add_work, run_table
from affuse.errors import AffuseError


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

        grid = Grid.parse(options.recipe, options.changes, options.grid)
        return run_table("affuse train", grid.table(), options, folds=grid.folds)
    if wrong := [
        x for x in ("jobs", "shard", "dry_run") if getattr(options, x) not in (None, False, 1)
    ]:
        raise AffuseError(f"--{wrong[0].replace('_', '-')} needs --grid")
    return _run_one(options)


def _run_one(options: argparse.Namespace) -> int:
    from affuse.training.recipe import load_recipe
    from affuse.training.run import read_run
    from affuse.training.train import train

    folds = None
    changes = []
    for change in options.changes:
        if change.startswith("fold="):
            try:
                folds = [int(k) for k in change.removeprefix("fold=").split(",")]
            except ValueError:
                raise AffuseError(f"{change!r} does not name folds such as fold=0,1") from None
        else:
            changes.append(change)
    recipe = load_recipe(options.recipe, changes)
    allow = [kind for kind in options.allow.split(",") if kind]

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    for fold, model in train(
        recipe,
        options.store,
        options.out,
        folds,
        options.resume,
        allow,
        options.device,
        say,
        options.copies,
    ):
        say(f"fold {fold}: {model}")
    facts = read_run(options.out)
    if unused := facts["clips"]["unused"]:
        reasons = ", ".join(f"{count} {reason}" for reason, count in unused.items())
        print(
            f"learned from {facts['clips']['learned']} clips, not from {reasons}", file=sys.stderr
        )
    for kind, count in facts["leaks"]["let_pass"].items():
        print(f"let pass: {kind} ({count} cases), as {options.out}/run.json says", file=sys.stderr)
    return 0
