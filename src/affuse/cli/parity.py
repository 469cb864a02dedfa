"""`affuse parity`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affuse.verification.parity import CaseResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("cases", type=Path, help="folder with the parity cases")
    parser.add_argument(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="recordings that some cases are about (default: ../data/videos beside the folder)",
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Print the worst error per case.

    Returns:
        2 where a case cannot be used, else 1 where one misses its tolerance, else 0.
    """
    from affuse.execution.progress import progress
    from affuse.verification.parity import count_cases, run_parity

    total = count_cases(options.cases)
    found = run_parity(options.cases, options.device, options.recordings)
    results = list(progress(found, "parity", total=total))
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        width = max(len(result.case) for result in results)
        for result in results:
            print(f"{result.case:{width}}  {_line(result)}")
    if any(result.passed is False and result.note for result in results):
        return 2
    return 1 if any(result.passed is False for result in results) else 0


def _line(result: CaseResult) -> str:
    if result.note:
        return f"FAILED: {result.note}" if result.passed is False else result.note
    verdict = "ok" if result.passed else "MISSES"
    return f"{result.error:.1e} of {result.tolerance:.0e}  {verdict:6}  {result.quantity}"
