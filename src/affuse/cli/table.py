"""`affuse table`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "table",
        type=Path,
        metavar="TABLE.yaml",
        help="rows, columns, seeds and what is compared (docs/reference/table-file.md)",
    )
    parser.add_argument(
        "--store",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="prepared streams of the rows that name none (default: store in the file); several "
        "are one",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for runs and tables; what is finished there is not done again",
    )
    parser.add_argument(
        "--copies",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="STORE",
        help="as of affuse train, for every row",
    )
    parser.add_argument(
        "--allow",
        default="",
        metavar="KIND,...",
        help="train although splits have leaks of these kinds (affuse list leaks; default: none)",
    )
    parser.add_argument(
        "--device", default="auto", help="as of affuse train (default: auto; scores on the CPU)"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="ROW",
        help="train these rows, and take the others as far as they are",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what is to be done, and do nothing"
    )


def run(options: argparse.Namespace) -> int:
    """Print the plan, fill the table in, write and print it."""
    from affuse.cli.tables import print_table
    from affuse.evaluation.table.description import read_table
    from affuse.evaluation.table.make import chosen_rows, make_table, plan_lines, plan_table
    from affuse.evaluation.table.shift import spread
    from affuse.evaluation.table.writing import caption, notes, text_rows, write_table

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    table = spread(read_table(options.table), options.store)
    chosen = [row.name for row in chosen_rows(table, options.only)]
    planned = plan_table(table, options.store, options.out, options.copies)
    for line in plan_lines(planned, chosen):
        print(line, file=None if options.dry_run else sys.stderr, flush=True)
    if options.dry_run:
        return 0
    allow = [kind for kind in options.allow.split(",") if kind]
    result = make_table(table, planned, chosen, allow, options.device, say)
    write_table(options.out, result)
    print_table(text_rows(result))
    print(caption(result))
    for line in notes(result):
        say(line)
    for name, reason in result["failures"].items():
        say(f"affuse table: {name} failed: {reason}")
    print(f"table.csv, table.md, table.tex, table.json: {options.out}")
    return 1 if result["failures"] else 0
