"""`affuse check-model`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from affuse.cli.stores import add_fold, add_stores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "model",
        nargs="?",
        type=Path,
        metavar="MODEL|RUN",
        help="a model file, or a folder that `affuse train` made (default: the bundled model)",
    )
    add_stores(parser)
    parser.add_argument(
        "--protocol",
        metavar="NAME|FILE",
        help="of a model file: on whose test clips it is checked (affuse list protocols; default: "
        "all labelled clips of the store)",
    )
    add_fold(parser)
    parser.add_argument(
        "--labels",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="of model files of classes: the label rule, as of `affuse evaluate` (default: as "
        "trained, or the corpus's own labels)",
    )
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="folder of the corpus that the store was made of, for checks that change recordings",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help="checks, or groups of them (default: all; see --list)",
    )
    parser.add_argument("--list", action="store_true", help="list the checks, and do nothing else")
    parser.add_argument(
        "--clips",
        type=_count,
        default=60,
        metavar="N",
        help="how many clips are changed, evenly of all speakers (default: 60)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="write check-model.json, check-model.csv and check-model.html",
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print the results as JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Check.

    Returns:
        0 where all checks pass that apply, 1 where one fails.
    """
    from affuse.cli.tables import print_table
    from affuse.evaluation.checks.registry import CHECKS

    if options.list:
        rows = [{"check": n, "group": e.group, "asks": e.summary} for n, e in CHECKS.items()]
        print(json.dumps(rows, indent=2)) if options.json else print_table(rows)
        return 0
    from affuse.evaluation.checks.report import limit_of, measured_of, write_results
    from affuse.evaluation.checks.run import check_model
    from affuse.models.bundled import BUNDLED
    from affuse.training.recipe_files import parse_change

    labels = dict(map(parse_change, options.labels))
    result = check_model(
        options.model or BUNDLED,
        options.store,
        options.only,
        protocol=options.protocol,
        fold=options.fold,
        labels={key.removeprefix("labels."): value for key, value in labels.items()},
        root=options.root,
        clips=options.clips,
        device=options.device,
        workers=options.workers,
        out=options.out,
        tell=_say,
    )
    for line in result["warnings"]:
        print(f"affuse check-model: {line}", file=sys.stderr)
    if options.out is not None:
        write_results(options.out, result)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        print_table(
            [
                {
                    "check": row["name"],
                    "verdict": row["verdict"],
                    "measured": measured_of(row),
                    "limit": limit_of(row),
                    "what": row["said"] or row["reason"],
                }
                for row in result["checks"]
            ]
        )
        print(
            f"{result['model']} on {result['clips']} {result['corpus']} clips: "
            f"{result['passed']} passed, {result['failed']} failed, {result['not_applicable']} "
            "not applicable"
        )
        if options.out is not None:
            print(f"results: {options.out / 'check-model.html'}")
    return 1 if result["failed"] else 0


def _say(row: dict[str, Any]) -> None:
    """What was found, as soon as it is known."""
    print(f"{row['name']}: {row['verdict']}", file=sys.stderr)


def _count(text: str) -> int:
    """A number of clips."""
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
