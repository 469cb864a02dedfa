"""`affuse predict`."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.cli.model import add_model, chosen_model
from affuse.cli.sources import add_source, read_sources, with_trained_rates
from affuse.cli.tracks import add_tracks, chosen_tracks

if TYPE_CHECKING:
    from affuse.inference.predictor import Predictor

HEARD = {"audio": "sound", "video": "face"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="recordings")
    add_model(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the timelines")
    parser.add_argument(
        "--hop",
        type=float,
        help="seconds from window to window, which begin at 0, hop, 2 hop, ... of every recording; "
        "at most a window (default: spread evenly, at most a quarter of the window apart; two "
        "thirds of it for values over time)",
    )
    parser.add_argument(
        "--windows",
        choices=("overlap", "published"),
        help="of joint attention: overlapping windows, or end to end as in its published test "
        "(default: as the model file says)",
    )
    parser.add_argument(
        "--smoothing",
        type=_smoothing,
        metavar="SECONDS",
        help="average values over time over so many seconds, or as `published` for joint attention "
        "(default: as the model file says)",
    )
    parser.add_argument(
        "--overlay",
        action="store_true",
        help="also a video of each recording with pictures: the face, and what is read from it",
    )
    add_tracks(parser)
    add_source(parser)
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")


def _smoothing(word: str) -> float | str:
    if word == "published":
        return word
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{word!r} is neither seconds nor `published`")
    return seconds


def run(options: argparse.Namespace) -> int:
    """Predict every input; exit code 2 when some could not be used, after all others are done."""
    from affuse.errors import AffuseError, BadInput
    from affuse.execution.progress import progress
    from affuse.inference.batch import predict_all

    if options.hop is not None and options.hop <= 0:
        raise AffuseError(f"--hop must be positive, not {options.hop:g}")
    if options.out.exists() and not options.out.is_dir():
        raise BadInput(options.out, "is a file; --out must be a folder")
    options.source = read_sources(options.source, options.rate)
    options.model = chosen_model(options)
    failed = 0
    work = predict_all(
        options.inputs, partial(_predictor, options), partial(_write_one, options=options)
    )
    # every overlay has a bar of its own
    for path, done in work if options.overlay else progress(work, "predict", len(options.inputs)):
        if isinstance(done, BadInput):
            failed += 1
            print(f"affuse predict: {done}", file=sys.stderr)
        else:
            print(f"{path}: {done}")
    return 2 if failed else 0


def _predictor(options: argparse.Namespace) -> Predictor:
    from affuse.inference.predictor import Predictor
    from affuse.models.modelfile import read_spec

    sources = with_trained_rates(options.source, read_spec(options.model).streams)
    return Predictor(
        options.model, options.hop, options.device, sources, options.windows, options.smoothing
    )


def _write_one(predictor: Predictor, path: Path, options: argparse.Namespace) -> str:
    """Write what there is of one recording; returns what to print of it."""
    from affuse.inference.output import output_names, write_timeline
    from affuse.inference.overlay import write_overlay
    from affuse.media.probe import probe

    name = output_names(options.inputs)[path]
    timeline = predictor.predict(path, tracks=chosen_tracks(options))
    write_timeline(timeline, options.out, name)
    if options.overlay and probe(path).has_video:
        write_overlay(timeline, options.out / f"{name}-overlay.mp4")
    shares = ", ".join(f"{HEARD[name]} {p.summary}" for name, p in timeline.presence.items())
    for note in timeline.notes:
        print(f"affuse predict: {path}: {note}", file=sys.stderr)
    return f"{timeline.headline} ({shares})"
