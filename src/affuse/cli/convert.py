"""`affuse convert`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.errors import AffuseError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "system", help="name of the system (affuse list systems tells their options)"
    )
    parser.add_argument("checkpoint", type=Path, help="the published file (.pth, .pt, ...)")
    parser.add_argument(
        "changes",
        nargs="*",
        metavar="key=value",
        help="settings not stored in the checkpoint, such as heads=4 or classes=low,high",
    )
    parser.add_argument("--out", type=Path, required=True, help="file to write (.safetensors)")
    parser.add_argument(
        "--back",
        action="store_true",
        help="the other way: a model file into a state dict with the published names (.pth)",
    )


def run(options: argparse.Namespace) -> int:
    """Convert and say what was found."""
    from affuse.models.checkpoints import convert, convert_back
    from affuse.training.recipe_files import parse_change

    told = dict(parse_change(change) for change in options.changes)
    if isinstance(names := told.get("classes"), str):
        told["classes"] = names.split(",")
    if options.back:
        if told:
            raise AffuseError(f"{next(iter(told))}= has no meaning with --back")
        entries = convert_back(options.system, options.checkpoint, options.out)
        print(f"{options.out}: {entries} entries as {options.system} names them", file=sys.stderr)
        return 0
    found = convert(options.system, options.checkpoint, options.out, **told)
    values = ", ".join(found.outputs) if len(found.outputs) < 20 else f"{len(found.outputs)} values"
    print(f"{options.out}: {found.model}, {values}", file=sys.stderr)
    for what in ("weights", "statistics", "normalisation", "note"):
        if what in found.training:
            print(f"{what}: {found.training[what]}", file=sys.stderr)
    return 0
