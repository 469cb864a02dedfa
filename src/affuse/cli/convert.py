"""`affuse convert`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.models.published import SYSTEMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("system", choices=SYSTEMS)
    parser.add_argument("checkpoint", type=Path, help="the published .pth or .pt file")
    parser.add_argument("--out", type=Path, required=True, help="file to write (.safetensors)")
    parser.add_argument(
        "--heads", type=int, help="attention heads, which weights do not tell (default: 1)"
    )
    parser.add_argument(
        "--classes", help="comma-separated names in the order of the scores, if not the published"
    )


def run(options: argparse.Namespace) -> int:
    """Convert and say what was found."""
    from affuse.models.checkpoints import convert

    told = {} if options.heads is None else {"heads": options.heads}
    if options.classes:
        told["classes"] = options.classes.split(",")
    found = convert(options.system, options.checkpoint, options.out, **told)
    print(f"{options.out}: {found.model}, {len(found.classes)} classes", file=sys.stderr)
    return 0
