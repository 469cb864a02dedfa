"""`affuse power`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "--speakers",
        type=_number(int, 5),
        metavar="N",
        help="test speakers, 5 or more (default: of --from)",
    )
    parser.add_argument(
        "--clips", type=_number(float, 1), metavar="K", help="of each speaker (default: of --from)"
    )
    parser.add_argument(
        "--accuracy",
        type=_number(float, 0, 1),
        metavar="P",
        help="about what both models reach, 0 to 1; their mistakes are taken to be independent",
    )
    parser.add_argument(
        "--spread",
        type=_number(float, 0, 1),
        metavar="S",
        help="standard deviation between speakers of the true difference of the two accuracies "
        "(default: 0.05, or of --from); two models whose accuracies correlate by 0.5 over "
        "speakers differ as much between speakers as each of them does",
    )
    parser.add_argument(
        "--from",
        dest="tables",
        type=Path,
        nargs="+",
        metavar="CSV",
        help="take them from one or two tables of predictions of classes, or runs",
    )
    parser.add_argument(
        "--condition", metavar="NAME", help="of --from (default: the first that all tables have)"
    )
    parser.add_argument(
        "--difference",
        type=_number(float, 0, 1),
        metavar="D",
        help="of the two accuracies, such as 0.03: how many speakers show it",
    )
    parser.add_argument("--json", action="store_true", help="print the plan as JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Say what such a study can show."""
    from affuse.errors import AffuseError
    from affuse.evaluation.planning import SPREAD, Known, known_from, plan_study
    from affuse.metrics.power import independent_plan

    if options.tables is not None:
        if options.accuracy is not None:
            raise AffuseError("--accuracy and --from: name one of them")
        known = known_from(options.tables, options.condition)
        if options.spread is not None:
            known = replace(known, plan=replace(known.plan, spread=options.spread))
        known = replace(
            known,
            speakers=options.speakers or known.speakers,
            clips=options.clips or known.clips,
        )
    else:
        for name in ("speakers", "clips", "accuracy"):
            if getattr(options, name) is None:
                raise AffuseError(f"say --{name}, or --from a table of predictions")
        spread = SPREAD if options.spread is None else options.spread
        plan = independent_plan(options.accuracy, spread)
        said = f"an accuracy of {options.accuracy:.1%}"
        known = Known(options.speakers, options.clips, plan, said)
    result = plan_study(known, options.difference)
    if options.json:
        print(json.dumps(result, indent=2))
        return 0
    print(
        f"{known.speakers} speakers of {known.clips:.0f} clips, by {known.said}; the difference "
        f"of two models varies between speakers by {100 * known.plan.spread:.1f} points"
    )
    least = 100 * result["smallest_difference"]
    print(f"differences of {least:.1f} points are seen with a chance of 80 % (test at 5 %)")
    if options.difference is not None:
        needed = result["speakers_needed"]
        how_many = "more than a million" if needed is None else f"{needed:,}"
        print(
            f"a difference of {100 * options.difference:.1f} points is seen with a chance of "
            f"{result['power']:.0%}; for 80 %, {how_many} speakers are needed"
        )
    return 0


def _number(
    kind: type[int] | type[float], low: float, high: float = float("inf")
) -> Callable[[str], float]:
    """A type of argument: a number from `low` to `high`."""

    def read(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:
            limits = f"{low} or more" if high == float("inf") else f"from {low} to {high}"
            raise argparse.ArgumentTypeError(f"{text} is not {limits}")
        return value

    read.__name__ = "whole number" if kind is int else "number"
    return read
