"""`affuse report`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="RUN|CSV",
        help="runs that were evaluated, folders of an evaluation such as RUN/evaluation-past, or "
        "tables of predictions (predictions.csv), of the same clips; the first is compared with "
        "each of the others",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help="the page (default: report.html)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="ROOT",
        help="where the corpus lies (of several corpora: a folder with one of each name): the page "
        "then holds images and sound of the worst clips (default: no recordings)",
    )
    parser.add_argument(
        "--clips",
        type=int,
        default=8,
        metavar="N",
        help="worst clips of each model (default: 8)",
    )
    parser.add_argument("--all", action="store_true", help="compare every pair")
    parser.add_argument(
        "--tables",
        type=Path,
        metavar="DIR",
        help="write every table of the page as CSV, Markdown and LaTeX (booktabs) too",
    )


def run(options: argparse.Namespace) -> int:
    """Write the page, and say where it is."""
    from affuse.evaluation.report.page import write_report

    write_report(
        options.paths,
        options.out,
        root=options.root,
        clips=options.clips,
        every_pair=options.all,
        tables=options.tables,
    )
    if options.root is not None and options.clips:
        print("the page holds recordings of people: treat it as you treat the corpus")
    if options.tables is not None:
        print(f"tables: {options.tables}")
    print(f"report: {options.out}")
    return 0
