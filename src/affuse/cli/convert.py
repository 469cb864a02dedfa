"""`affuse convert`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("system", choices=("chumachenko", "efficientface"))
    parser.add_argument("checkpoint", type=Path, help="the published .pth or .pt file")
    parser.add_argument("--out", type=Path, required=True, help="file to write (.safetensors)")
    parser.add_argument(
        "--heads", type=int, default=1, help="attention heads it was trained with (default: 1)"
    )


def run(options: argparse.Namespace) -> int:
    """Convert and say what was found."""
    from affuse.models.checkpoints import convert

    heads = {"heads": options.heads} if options.system == "chumachenko" else {}
    found = convert(options.system, options.checkpoint, options.out, **heads)
    print(f"{options.out}: {found.model}, {len(found.classes)} classes", file=sys.stderr)
    return 0
