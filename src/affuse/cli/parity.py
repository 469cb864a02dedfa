"""`affuse parity`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("cases", type=Path, help="folder with the parity cases")
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Print the worst error per case; exit code 1 when one misses its tolerance."""
    from affuse.execution.progress import progress
    from affuse.verification.parity import count_cases, run_parity

    results = list(
        progress(
            run_parity(options.cases, options.device), "parity", total=count_cases(options.cases)
        )
    )
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        width = max(len(result.case) for result in results)
        for result in results:
            if result.note:
                failed = "" if result.passed is None else "FAILED: "
                print(f"{result.case:{width}}  {failed}{result.note}")
                continue
            verdict = "ok" if result.passed else "MISSES"
            print(
                f"{result.case:{width}}  {result.error:9.2e}  (tolerance {result.tolerance:.0e}, "
                f"{result.quantity})  {verdict}"
            )
    return 1 if any(result.passed is False for result in results) else 0
