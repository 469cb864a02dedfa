"""`affuse merge`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "shards",
        type=Path,
        nargs="+",
        metavar="SHARD",
        help="folders that prepare --shard I/N wrote, on any disks",
    )
    parser.add_argument("--store", type=Path, required=True, help="folder for the store")


def run(options: argparse.Namespace) -> int:
    """Merge; exit code 2 when some clips had failed, as of `prepare`."""
    from affuse.features.merge import merge

    merged = merge(options.shards, options.store)
    absent = "".join(f", {n} clips have no {name}" for name, n in merged.streams.items() if n)
    print(
        f"{options.store}: {len(merged.streams)} streams of {merged.clips} clips{absent}",
        file=sys.stderr,
    )
    if merged.failures:
        print(
            f"{len({clip for clip, _, _ in merged.failures})} clips failed and are left out, "
            f"or are read without what cannot be decoded: {options.store / 'failures.csv'}",
            file=sys.stderr,
        )
    return 2 if merged.failures else 0
