"""Runs the sections one after the other and writes what they find after each of them."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.device.sections import SECTIONS, run_section, write
from tests.device.setting import ROOT

#: Seconds of all sections together.
SECONDS = 480.0


def main() -> int:
    """Exit code 0, whatever the sections came to: that is in the file."""
    parser = argparse.ArgumentParser(prog="tests/device/run.sh", description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, help="default: $OUT/device.json, device.json")
    parser.add_argument("--device", default="cuda", help="torch device (default: cuda)")
    parser.add_argument("--quick", action="store_true", help="a small version of everything")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", nargs="+", default=[*SECTIONS], choices=[*SECTIONS])
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all of it")
    options = parser.parse_args()
    out = options.out or Path(os.environ.get("OUT", ".")) / "device.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    found: dict[str, Any] = {"device": options.device, "quick": options.quick, "sections": {}}
    for name in options.only:
        left = options.seconds - (time.monotonic() - began)
        section = SECTIONS[name]
        limit = min(section.seconds, left)
        if limit < 1:
            figures = {"error": "no time was left"}
        else:
            figures = run_section(
                section.function, options.device, options.quick, options.data, limit
            )
        found["sections"][name] = figures
        found["seconds"] = round(time.monotonic() - began, 1)
        write(out, found)
        said = figures.get("error", "").splitlines()[-1:] or ["done"]
        print(f"{name}: {figures.get('seconds', 0)} s, {said[0]}", file=sys.stderr, flush=True)
    print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
