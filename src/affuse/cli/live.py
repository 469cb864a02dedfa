"""`affuse live`."""

from __future__ import annotations

import argparse
import json
import sys

from affuse.cli.model import add_baseline, add_model, chosen_model
from affuse.cli.sources import add_source, read_sources, with_trained_rates
from affuse.cli.tracks import add_tracks, chosen_tracks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "input", metavar="SOURCE", help="file, URL or device; - for the standard input"
    )
    add_model(parser)
    parser.add_argument(
        "--hop", type=float, default=1.0, help="seconds from line to line (default: 1)"
    )
    parser.add_argument(
        "--delay",
        type=float,
        default=0.0,
        help="seconds that a line waits for what follows its moment (default: 0)",
    )
    parser.add_argument("--format", help="FFmpeg's name of a device's format, such as v4l2")
    parser.add_argument(
        "--realtime", action="store_true", help="read a file no faster than it was recorded"
    )
    add_tracks(parser)
    add_source(parser)
    add_baseline(parser)
    parser.add_argument(
        "--no-past",
        action="store_true",
        help="do not learn what the person is like from the source itself, as such a model does",
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")


def run(options: argparse.Namespace) -> int:
    """Print a line per hop until the source ends; exit code 130 on Ctrl-C."""
    from affuse.errors import AffuseError, BadInput
    from affuse.features.speakers import NO_BASELINE
    from affuse.inference.live import KEPT, follow
    from affuse.inference.predictor import Predictor
    from affuse.media.live import Live
    from affuse.media.source import open_source
    from affuse.models.spec_files import read_spec

    if not 0 < options.hop < float("inf"):
        raise AffuseError(f"--hop must be positive, not {options.hop:g}")
    sources = read_sources(options.source, options.rate)
    model = chosen_model(options)
    sources = with_trained_rates(sources, read_spec(model).streams)
    predictor = Predictor(model, None, options.device, sources, baseline=options.baseline)
    if options.no_past and predictor.baselines is None:
        raise BadInput(model, NO_BASELINE)
    window = predictor.window
    if not 0 <= options.delay <= window:
        raise AffuseError(
            f"--delay must lie between 0 and the window of the model ({window:g} s), "
            f"not {options.delay:g}"
        )
    kinds = {spec.modality for spec in predictor.spec.streams.values()}
    try:
        with open_source(options.input, kinds, options.format, chosen_tracks(options)) as packets:
            live = Live(packets, window + KEPT, realtime=options.realtime)
            counts = {"lines": 0, "left_out": 0}
            try:
                for line in follow(
                    predictor, live, options.hop, options.delay, counts, not options.no_past
                ):
                    if not counts["lines"]:
                        _state(options.delay, options.hop, line.latency, window)
                    counts["lines"] += 1
                    print(json.dumps(line.to_json(predictor.spec)), flush=True)
            finally:
                _sum_up(counts, live.dropped, packets.lost)
    except KeyboardInterrupt:
        print("affuse live: interrupted", file=sys.stderr)
        return 130
    return 0


def _state(delay: float, hop: float, latency: float, window: float) -> None:
    print(
        f"affuse live: latency {latency:.2f} s: {delay:g} s delay, {hop:g} s from line to line, "
        f"{latency - delay - hop:.2f} s waiting and computing (every line says its own); "
        f"the first {window:g} s rest on less than a window",
        file=sys.stderr,
    )


def _sum_up(counts: dict[str, int], dropped: int, lost: int) -> None:
    if counts["lines"]:
        print(
            f"affuse live: {counts['lines']} lines, {counts['left_out']} left out and "
            f"{dropped} frames dropped because computing was late, source lost {lost} times",
            file=sys.stderr,
        )
