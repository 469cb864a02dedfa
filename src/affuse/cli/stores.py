"""`--store` and `--fold`, for the verbs that take runs and model files."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_stores(parser: argparse.ArgumentParser) -> None:
    """`--store`, which may be repeated."""
    parser.add_argument(
        "--store",
        type=Path,
        action="append",
        help="prepared streams, several times where they are several stores; of a run only if they "
        "have moved",
    )


def add_fold(parser: argparse.ArgumentParser) -> None:
    """`--fold` of `--protocol`."""
    parser.add_argument(
        "--fold",
        type=int,
        metavar="K",
        help="of the protocol (default: the fold that the model file was trained in, or 0)",
    )
