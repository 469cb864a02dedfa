"""`affuse events`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.cli.tables import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "events",
        type=Path,
        metavar="EVENTS.csv",
        help="a table with the column time (seconds), and optionally condition, recording, person "
        "and speaker",
    )
    parser.add_argument(
        "timelines",
        nargs="+",
        type=Path,
        metavar="TIMELINE",
        help="timelines of affuse predict, .json or .csv",
    )
    parser.add_argument(
        "--before", type=float, default=1.0, metavar="SECONDS", help="of each event (default: 1)"
    )
    parser.add_argument(
        "--after", type=float, default=3.0, metavar="SECONDS", help="of each event (default: 3)"
    )
    parser.add_argument(
        "--baseline-correct",
        action="store_true",
        help="take the mean before each event from its curve",
    )
    parser.add_argument(
        "--step", type=float, default=0.1, metavar="SECONDS", help="of the curves (default: 0.1)"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for responses.csv, means.csv and means.png"
    )


def run(options: argparse.Namespace) -> int:
    """Write the responses, and print how each condition changes each signal."""
    from affuse.errors import AffuseError, shown
    from affuse.evaluation.response_files import write_responses
    from affuse.evaluation.responses import means, offsets_of, responses
    from affuse.metrics.jackknife import LEAST_SPEAKERS

    for name in ("before", "after", "step"):
        if not 0.001 <= getattr(options, name) <= 3600:
            raise AffuseError(
                f"--{name} must be 0.001 to 3600 seconds, not {getattr(options, name):g}"
            )
    offsets = offsets_of(options.before, options.after, options.step)
    if offsets[0] == 0 or offsets[-1] == 0:
        raise AffuseError(f"--before and --after must be at least a --step of {options.step:g} s")
    found, without = responses(options.events, options.timelines, offsets)
    for line in without:
        print(shown(f"affuse events: left out: {line}"), file=sys.stderr)
    rows = means(found, offsets, options.baseline_correct)
    write_responses(options.out, found, rows, offsets)
    print_table(
        [
            {
                "condition": shown(row.condition),
                "signal": shown(row.signal),
                "responses": row.responses,
                "of": row.groups,
                "before": f"{row.before:.3f}",
                "after": f"{row.after:.3f}",
                "change": _told(row.change),
            }
            for row in rows
        ]
    )
    if few := {row.condition for row in rows if row.groups < LEAST_SPEAKERS}:
        names = shown(", ".join(sorted(few)))
        print(f"no intervals of {names}: they need {LEAST_SPEAKERS} recordings or people")
    return 0


def _told(change: tuple[float, float, float]) -> str:
    value, low, high = change
    interval = f" ({low:+.3f} to {high:+.3f})" if low == low else ""
    return f"{value:+.3f}{interval}"
