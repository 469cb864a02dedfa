"""`affuse doctor`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Print a line per part; exit code 1 where something essential is broken."""
    from affuse.verification.installation import examine

    checks = examine()
    broken = [check.name for check in checks if check.essential and not check.ok]
    if options.json:
        told = {check.name: asdict(check) for check in checks}
        print(json.dumps({"ok": not broken, "checks": told}, indent=2, ensure_ascii=False))
        return 1 if broken else 0
    width = max(len(check.name) for check in checks)
    for check in checks:
        mark = "ok" if check.ok else "BROKEN" if check.essential else "-"
        print(f"{mark:6}  {check.name:{width}}  {check.says}")
    print(f"broken: {', '.join(broken)}" if broken else "affuse can predict here")
    return 1 if broken else 0
