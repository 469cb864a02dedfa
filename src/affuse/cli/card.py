"""`affuse card`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "path",
        type=Path,
        metavar="RUN|MODEL",
        help="a run that was evaluated, or a model file; results of a model file are those of "
        "MODEL-evaluation beside it",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="Markdown file (default: print the card)"
    )


def run(options: argparse.Namespace) -> int:
    """Write the card, or print it."""
    from affuse.evaluation.report.card import model_card
    from affuse.execution.files import write_text

    text = model_card(options.path)
    if options.out is None:
        print(text, end="")
        return 0
    write_text(options.out, text)
    print(f"card: {options.out}")
    return 0
