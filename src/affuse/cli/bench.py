"""`affuse bench`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: What is measured -> clips by default.
WHAT = {"prepare": [4], "train": [8], "predict": [2], "store": [1000]}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("what", choices=tuple(WHAT), help="what is measured")
    sizes = ", ".join(f"{what}: {counts[0]}" for what, counts in WHAT.items())
    parser.add_argument(
        "--clips",
        type=_positive(int),
        nargs="+",
        metavar="N",
        help=f"how many, one comparison for each number (default: {sizes})",
    )
    parser.add_argument(
        "--repeats",
        type=_positive(int),
        default=3,
        metavar="R",
        help="runs of each side, in turns; medians are told (default: 3)",
    )
    parser.add_argument(
        "--threads", type=_positive(int), default=1, metavar="N", help="of a process (default: 1)"
    )
    parser.add_argument(
        "--seconds",
        type=_positive(float),
        default=3.6,
        metavar="S",
        help="length of a generated recording, 1 or more (default: 3.6)",
    )
    parser.add_argument(
        "--size",
        type=_size,
        default=(1280, 720),
        metavar="WxH",
        help="of its images (default: 1280x720)",
    )
    parser.add_argument(
        "--scale",
        type=Path,
        metavar="CSV",
        help="also measure how the cost grows, and write that as a table",
    )
    parser.add_argument(
        "--limit",
        type=_positive(float),
        default=120.0,
        metavar="S",
        help="seconds that one run of --scale may take (default: 120)",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result; - is stdout")
    parser.add_argument(
        "--history", type=Path, metavar="JSONL", help="add the result to a file, one per line"
    )


def run(options: argparse.Namespace) -> int:
    """Measure and print; exit code 1 where the sides did not compute the same."""
    from affuse.execution.files import write_csv, write_json
    from affuse.execution.progress import progress
    from affuse.verification.bench.comparison import append_history
    from affuse.verification.bench.measure import measure

    for path in (options.scale, options.json, options.history):
        _check_place(path)
    result = measure(
        options.what,
        options.clips or WHAT[options.what],
        repeats=options.repeats,
        threads=options.threads,
        seconds=options.seconds,
        size=options.size,
        limit=options.limit if options.scale else None,
        loop=progress,
    )
    if options.scale and result["curves"]:
        columns = list(result["curves"][0])
        write_csv(options.scale, columns, [list(row.values()) for row in result["curves"]])
    if options.history:
        append_history(options.history, result)
    if options.json == Path("-"):
        print(json.dumps(result, indent=2))
    else:
        if options.json:
            write_json(options.json, result)
        _print(result)
    differ = [check["what"] for check in result["checks"] if not check["same"]]
    for what in differ:
        print(f"affuse bench: the sides differ: {what}", file=sys.stderr)
    return 1 if differ else 0


def _print(result: Mapping[str, Any]) -> None:
    from affuse.cli.tables import print_table

    columns = {name: None for row in result["rows"] for name in row if name != "stages"}
    print_table([_row({**columns, **row}) for row in result["rows"]])
    for title in ("targets", "checks", "curves"):
        if result[title]:
            print()
            print_table([_said(row) for row in result[title]])
    machine = result["machine"]
    print(
        f"\n{machine['processors']} processors ({machine['processor']}), load {machine['load']}, "
        f"{result['threads']} thread(s), medians of {result['repeats']}"
    )
    for note in result["notes"]:
        print(note)


def _row(row: Mapping[str, Any]) -> dict[str, object]:
    stages = ", ".join(
        f"{name} {seconds:.3g}"
        for name, seconds in sorted(row["stages"].items(), key=lambda stage: -stage[1])
    )
    return _said({**row, "stages": stages})


def _said(row: Mapping[str, Any]) -> dict[str, object]:
    said = {"met": ("missed", "reached"), "same": ("differs", "same")}
    return {
        name.replace("_", " "): said[name][bool(value)] if name in said else value
        for name, value in row.items()
    }


def _check_place(path: Path | None) -> None:
    """Refuse a file that could not be written after minutes of measuring."""
    from affuse.errors import BadInput

    if path is not None and path != Path("-") and path.is_dir():
        raise BadInput(path, "is a folder; say a file to write")


def _positive(kind: type[int] | type[float]) -> Any:
    def read(text: str) -> float:
        value = kind(text)
        if not 1 <= value < 1e7:
            raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
        return value

    read.__name__ = "whole number" if kind is int else "number"
    return read


def _size(text: str) -> tuple[int, int]:
    parts: Sequence[str] = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is not WIDTHxHEIGHT, such as 1280x720")
    width, height = map(int, parts)
    if min(width, height) < 64 or width % 2 or height % 2 or max(width, height) > 8192:
        raise argparse.ArgumentTypeError(f"{text}: expected even numbers from 64 to 8192")
    return width, height
