"""`affuse ensemble`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN|MODEL",
        help="folders that `affuse train` made, and model files, converted or trained",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the files")
    parser.add_argument(
        "--fusion",
        choices=("centred", "mean", "weighted"),
        default="centred",
        help="around a level that agreeing folds set (published; default), the mean, or weighted "
        "by the CCC of each fold on its development clips",
    )
    parser.add_argument(
        "--role",
        choices=("test", "development"),
        default="test",
        help="the test clips by all folds (default), or each clip by the folds in which it has the "
        "development role",
    )
    parser.add_argument(
        "--corpus",
        type=Path,
        metavar="ROOT",
        help="where the corpus lies: a row per frame of its videos (else 30 per second)",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="folder with <clip>.csv (time and a column per dimension), for scores",
    )
    parser.add_argument(
        "--store", type=Path, help="prepared streams; of runs only if they have moved"
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME|FILE",
        help="of model files: what their test and development clips are (default: all are tested)",
    )
    parser.add_argument(
        "--fold",
        type=int,
        metavar="K",
        help="of the protocol (default: the fold that a model file was trained in, or 0)",
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Fuse; exit code 2 when some clips could not be used, after all others are done."""
    from dataclasses import asdict

    from affuse.evaluation.ensemble import fuse

    result = fuse(
        options.runs,
        options.out,
        options.fusion,
        options.role,
        options.corpus,
        options.truth,
        options.store,
        options.device,
        options.protocol,
        options.fold,
    )
    for reason in result.failures.values():
        print(f"affuse ensemble: {reason}", file=sys.stderr)
    if result.without_video:
        where = "not below --corpus" if options.corpus else "missing (--corpus says where)"
        print(
            f"{len(result.without_video)} clips have 30 rows per second, for their videos are "
            f"{where}: {', '.join(result.without_video[:3])}",
            file=sys.stderr,
        )
    if options.json:
        print(json.dumps(asdict(result), indent=2, ensure_ascii=False))
        return 2 if result.failures else 0
    _print_scores(result.names, result.scores)
    for fold, own in result.weights.items():
        parts = ", ".join(f"{name} {value:.3f}" for name, value in own.items())
        print(f"development CCC of {fold}: {parts}")
    print(
        f"{options.out}: {len(result.clips)} files, {options.fusion} fusion, {options.role} clips"
    )
    return 2 if result.failures else 0


def _print_scores(names: list[str], scores: dict[str, dict[str, float]]) -> None:
    from affuse.cli.tables import print_table

    rows = []
    for who, own in scores.items():
        row: dict[str, object] = {"CCC": who}
        row |= {name: f"{own[name]:.3f}" if name in own else "" for name in names}
        whole = all(name in own for name in names)
        row["mean"] = f"{sum(own.values()) / len(own):.3f}" if whole else ""
        rows.append(row)
    if rows:
        print_table(rows)
