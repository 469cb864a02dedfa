"""`--model`, for the verbs that apply one, and the model that comes with affuse."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_model(parser: argparse.ArgumentParser) -> None:
    """The argument."""
    parser.add_argument(
        "--model",
        type=Path,
        help="model file (.safetensors; default: the model that comes with affuse)",
    )


def chosen_model(options: argparse.Namespace) -> Path:
    """The model file; where none was named it is said on the standard error which one it is."""
    if options.model is not None:
        return Path(options.model)
    from affuse.models.shipped import CARD, DAY_ONE

    print(
        f"affuse {options.verb}: no --model given, so the one that comes with affuse is used; for "
        f"research, not for commerce, and often wrong: {CARD}",
        file=sys.stderr,
    )
    return DAY_ONE
