"""`affuse reproduce`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from affuse.cli.sources import add_source, read_sources
from affuse.errors import AffuseError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("name", nargs="?", help="a row of a published table (--list)")
    parser.add_argument(
        "changes",
        nargs="*",
        metavar="key=value",
        help="changes to both recipes, such as backbone=efficientface.safetensors; fold=0,1 does "
        "some folds only",
    )
    parser.add_argument("--list", action="store_true", help="what rows there are, and exit")
    parser.add_argument("--root", type=Path, help="where the corpus lies")
    parser.add_argument("--store", type=Path, help="prepared streams (default: in --out)")
    parser.add_argument(
        "--out", type=Path, help="folder of runs and results; run again, it goes on"
    )
    add_source(parser)
    parser.add_argument(
        "--synthetic",
        action="store_true",
        help="rehearse it on a small synthetic corpus, without recordings and weights; its "
        "numbers say nothing about the paper",
    )
    parser.add_argument(
        "--only",
        choices=("published", "default"),
        help="as published, or the default recipe on speaker-disjoint folds (default: both)",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1 or mps")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Train and score a row of a published table again, and print both beside it."""
    if options.list:
        return _list(options.json)
    if not options.name or not options.out:
        raise AffuseError("name a row (affuse reproduce --list) and a folder (--out)")
    from affuse.cli.tables import print_table
    from affuse.evaluation.reproduce.rows import WAYS, find_row
    from affuse.evaluation.reproduce.run import Plan, reproduce
    from affuse.evaluation.reproduce.table import remarks, result_table, write_results

    row = find_row(options.name)
    if row.ways and not (options.synthetic or options.root or options.store):
        what = f"--root, the recordings of {row.corpus} (affuse fetch {row.corpus} DIR), or --store"
        raise AffuseError(f"{row.name} needs {what}; --synthetic rehearses it without")
    plan = Plan(
        row=row,
        out=options.out,
        root=options.root,
        store=None if options.synthetic else options.store,
        sources=read_sources(options.source, options.rate),
        ways=[options.only] if options.only else WAYS,
        changes=tuple(c for c in options.changes if not c.startswith("fold=")),
        folds=_folds(options.changes),
        rehearsal=options.synthetic,
        workers=options.workers,
        device=options.device,
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    results = reproduce(plan)
    write_results(plan.folder, row, results)
    if options.json:
        print(json.dumps(results, indent=2, ensure_ascii=False))
        return 0
    print(f"{row.paper}: {row.place}")
    print_table(result_table(row, results))
    for line in remarks(row, results):
        print(line)
    print(f"results.json, results.csv, results.md: {plan.folder}")
    return 0


def _folds(changes: list[str]) -> list[int] | None:
    texts = [change.removeprefix("fold=") for change in changes if change.startswith("fold=")]
    try:
        return [int(k) for text in texts for k in text.split(",")] or None
    except ValueError:
        raise AffuseError(f"fold={texts[0]} does not name folds such as fold=0,1") from None


def _list(as_json: bool) -> int:
    from affuse.cli.tables import print_table
    from affuse.evaluation.reproduce.table import list_table

    rows = list_table()
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        print_table(rows)
    return 0
