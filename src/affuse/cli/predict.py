"""`affuse predict`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.cli.model import add_model, chosen_model
from affuse.cli.sources import add_source, read_sources, with_trained_rates

HEARD = {"audio": "sound", "video": "face"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("inputs", nargs="+", type=Path, metavar="INPUT", help="recordings")
    add_model(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the timelines")
    parser.add_argument(
        "--hop",
        type=float,
        help="seconds between windows (default: a quarter of the window; two thirds of it for "
        "values over time)",
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
    from affuse.inference.output import output_names, write_timeline
    from affuse.inference.overlay import write_overlay
    from affuse.inference.predictor import Predictor
    from affuse.media.probe import probe
    from affuse.models.modelfile import read_spec

    if options.hop is not None and options.hop <= 0:
        raise AffuseError(f"--hop must be positive, not {options.hop:g}")
    if options.out.exists() and not options.out.is_dir():
        raise BadInput(options.out, "is a file; --out must be a folder")
    sources = read_sources(options.source, options.rate)
    model = chosen_model(options)
    sources = with_trained_rates(sources, read_spec(model).streams)
    predictor = Predictor(
        model, options.hop, options.device, sources, options.windows, options.smoothing
    )
    failed = 0
    names = output_names(options.inputs)
    # every overlay has a bar of its own
    for path in options.inputs if options.overlay else progress(options.inputs, "predict"):
        try:
            timeline = predictor.predict(path)
            write_timeline(timeline, options.out, names[path])
            if options.overlay and probe(path).has_video:
                write_overlay(timeline, options.out / f"{names[path]}-overlay.mp4")
        except BadInput as error:
            failed += 1
            print(f"affuse predict: {error}", file=sys.stderr)
            continue
        shares = ", ".join(f"{HEARD[name]} {p.share:.0%}" for name, p in timeline.presence.items())
        people = "other person" if timeline.others == 1 else "other people"
        others = f"; {timeline.others} {people} in the picture" if timeline.others else ""
        print(f"{path}: {timeline.headline} ({shares}){others}")
    return 2 if failed else 0
