"""`--model` and `--baseline`, for the verbs that apply a model; the bundled model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.cli.sources import with_trained_rates
from affuse.cli.tracks import chosen_tracks

if TYPE_CHECKING:
    from affuse.inference.baseline import Baseline, BaselineReader


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


def read_baseline(options: argparse.Namespace, inputs: Iterable[Path]) -> Baseline:
    """What recordings tell of the person, read in a process of its own.

    Raises:
        BadInput: The model has no use for it, or a recording of `--baseline` cannot be used; an
            INPUT that cannot tells nothing.
    """
    from affuse.errors import BadInput
    from affuse.execution.progress import progress
    from affuse.features.speakers import NO_BASELINE
    from affuse.inference.baseline import Baseline
    from affuse.inference.batch import predict_all
    from affuse.inference.inputs import find_inputs
    from affuse.models.spec_files import read_spec

    if not options.baseline and not options.same_person:
        return Baseline()
    if read_spec(options.model).shrinkage is None:
        raise BadInput(options.model, NO_BASELINE)
    named = find_inputs(options.baseline, options.out)
    for error in named.failures:
        raise error
    wanted = dict.fromkeys([*named.names, *(inputs if options.same_person else ())])
    work = predict_all(list(wanted), partial(_reader, options), partial(_read_one, options))
    found = dict(progress(work, "baseline", len(wanted)))
    for path in named.names:
        if isinstance(told := found[path], BadInput):
            raise told
    return Baseline.of(x for path in wanted if isinstance(x := found[path], Baseline))


def _reader(options: argparse.Namespace) -> BaselineReader:
    from affuse.inference.baseline import BaselineReader
    from affuse.models.spec_files import read_spec

    spec = read_spec(options.model)
    return BaselineReader(options.model, spec, with_trained_rates(options.source, spec.streams))


def _read_one(options: argparse.Namespace, reader: BaselineReader, path: Path) -> Baseline:
    from affuse.inference.people import whose_voice

    return reader.read(path, chosen_tracks(options), whose_voice(options.voice, options.people))
