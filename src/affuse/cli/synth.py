"""`affuse synth`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("corpus", choices=("ravdess",))
    parser.add_argument("out", type=Path, help="folder to write the corpus to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--actors",
        type=int,
        choices=range(1, 25),
        metavar="N",
        default=24,
        help="how many of the 24 (default: all)",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")


def run(options: argparse.Namespace) -> int:
    """Write the look-alike; complete files that are there are kept."""
    from affuse.corpora.synthetic.ravdess import synthesise
    from affuse.execution.progress import progress

    files = synthesise(
        options.out,
        seed=options.seed,
        actors=range(1, options.actors + 1),
        workers=options.workers,
        progress=progress,
    )
    print(f"{options.out}: {files} files", file=sys.stderr)
    return 0
