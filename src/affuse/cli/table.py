"""`affuse table`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.cli.sites import add_site, opened_site
from affuse.errors import AffuseError

if TYPE_CHECKING:
    from affuse.evaluation.table.description import Table
    from affuse.evaluation.table.work import Orders


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
    add_work(parser)


def add_work(parser: argparse.ArgumentParser, only_with: str = "") -> None:
    """Arguments of how many trainings are worked on.

    Args:
        parser: Of a verb.
        only_with: The option without which they mean nothing.
    """
    after = f" (with {only_with})" if only_with else ""
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help=f"train N folds at once, each in a process of one thread (default: 1){after}",
    )
    add_site(parser, "--jobs", after)
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="train only the I-th of N equal parts of the folds, such as 2/12, and write no table; "
        f"several machines may share --out{after}",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help=f"print what is to be done, and do nothing{after}"
    )


def run(options: argparse.Namespace) -> int:
    """Print the plan, fill the table in, write and print it."""
    from affuse.evaluation.table.description import read_table
    from affuse.evaluation.table.shift import spread

    table = spread(read_table(options.table), options.store)
    return run_table("affuse table", table, options, options.only)


def run_table(
    verb: str,
    table: Table,
    options: argparse.Namespace,
    only: Sequence[str] = (),
    folds: Sequence[int] | None = None,
) -> int:
    """Print the plan of a table, fill it in, write and print it.

    Args:
        verb: For messages.
        table: The table.
        options: Those of the verb: `store`, `copies`, `out`, `allow`, `device`, and `add_work`.
        only: Rows that are worked on; all by default.
        folds: Folds that are trained; all by default.
    """
    from affuse.evaluation.table.work import Orders
    from affuse.execution.executors import Processes
    from affuse.execution.sharing import Share

    if options.jobs < 1:
        raise AffuseError("--jobs must be 1 or more")
    allow = [kind for kind in options.allow.split(",") if kind]
    share = Share.parse(options.shard)
    processes = Processes(options.jobs) if options.jobs > 1 else None
    with opened_site(options.site, "--jobs" if processes else "") as site:
        orders = Orders(options.device, allow, folds, site or processes, share)
        return _filled_in(verb, table, options, only, orders)


def _filled_in(
    verb: str, table: Table, options: argparse.Namespace, only: Sequence[str], orders: Orders
) -> int:
    """Do what the orders say with a table; see `run_table`."""
    from affuse.cli.tables import print_table
    from affuse.evaluation.table.make import chosen_rows, make_table, plan_lines, plan_table
    from affuse.evaluation.table.work import work
    from affuse.evaluation.table.writing import caption, notes, text_rows, write_table

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    chosen = [row.name for row in chosen_rows(table, only)]
    planned = plan_table(table, options.store, options.out, options.copies)
    for line in plan_lines(planned, chosen, orders):
        print(line, file=None if options.dry_run else sys.stderr, flush=True)
    if options.dry_run:
        return 0
    if not orders.share.is_all:
        failures = work(planned, chosen, orders, say)
        say(f"shard {orders.share} is done; without --shard the table is written")
        return 1 if failures else 0
    result = make_table(table, planned, chosen, orders, say)
    write_table(options.out, result)
    print_table(text_rows(result))
    print(caption(result))
    for line in notes(result):
        say(line)
    for name, reason in result["failures"].items():
        say(f"{verb}: {name} failed: {reason}")
    print(f"table.csv, table.md, table.tex, table.json: {options.out}")
    return 1 if result["failures"] else 0
