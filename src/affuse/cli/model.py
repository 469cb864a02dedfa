"""`--model`, for the verbs that apply one, and the bundled model."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_model(parser: argparse.ArgumentParser) -> None:
    """The argument."""
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE|RUN",
        help="model file (.safetensors), or a folder that `affuse train` made of one fold "
        "(default: the bundled model)",
    )


def add_baseline(parser: argparse.ArgumentParser) -> None:
    """`--baseline`, for models that compare people with themselves."""
    parser.add_argument(
        "--baseline",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="other recordings of the same person, calm or not, of a model trained with "
        "normalisation=speaker: the main person is compared with themselves",
    )


def chosen_model(options: argparse.Namespace) -> Path:
    """The model file; where none was named it is said on the standard error which one it is.

    Raises:
        BadInput: A folder that is no run, or a run of several models.
    """
    if options.model is not None:
        return _of_run(options.model) if options.model.is_dir() else Path(options.model)
    from affuse.models.bundled import BUNDLED, CARD

    print(
        f"affuse {options.verb}: no --model given, so the bundled model is used; for "
        f"research, not for commerce, and often wrong: {CARD}",
        file=sys.stderr,
    )
    return BUNDLED


def _of_run(folder: Path) -> Path:
    """The only model of a run, or of the folder of a fold."""
    from affuse.errors import BadInput
    from affuse.training.run import MODEL_FILE, trained_folds

    if (folder / MODEL_FILE).is_file():
        return folder / MODEL_FILE
    files = [fold / MODEL_FILE for fold in trained_folds(folder)]
    if len(files) > 1:
        named = ", ".join(map(str, files))
        raise BadInput(folder, f"holds the models of {len(files)} folds; name one: {named}")
    return files[0]
