"""`affuse calibrate`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from affuse.cli.stores import add_fold, add_stores


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "path",
        type=Path,
        metavar="RUN|MODEL",
        help="folder that `affuse train` made: every fold on its own development clips; or a model "
        "file",
    )
    parser.add_argument(
        "--coverage",
        type=float,
        default=0.9,
        metavar="P",
        help="how often the emotion, or valence and arousal, shall be among what is not ruled out, "
        "of speakers whom nobody has seen (default: 0.9)",
    )
    add_stores(parser)
    parser.add_argument(
        "--protocol",
        metavar="NAME|FILE",
        help="of a model file: whose development clips (affuse list protocols)",
    )
    add_fold(parser)
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        help="model file to write, of one model (default: the file itself, with the same weights)",
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")


def run(options: argparse.Namespace) -> int:
    """Calibrate, and print a row per model and mask."""
    from affuse.cli.tables import print_table
    from affuse.evaluation.calibrate import calibrate

    found, warnings = calibrate(
        options.path,
        options.store,
        options.protocol,
        options.fold,
        options.out,
        options.coverage,
        options.device,
    )
    for line in warnings:
        print(f"affuse calibrate: {line}", file=sys.stderr)
    rows: list[dict[str, object]] = []
    for one in found:
        for name, mask in one.calibration.masks.items():
            scores = one.scores[name]
            row: dict[str, object] = {
                "fold": one.fold,
                "present": name,
                "clips": mask.clips,
                "speakers": mask.speakers,
            }
            if scores:
                row |= {
                    "temperature": f"{mask.temperature:.3f}",
                    "bias": "yes" if mask.bias else "no",
                    "ECE": f"{scores['ece_before']:.3f}",
                    "after": f"{scores['ece_after']:.3f}",
                    "set size": f"{scores['set_size']:.2f}" if "set_size" in scores else "none",
                }
            else:
                row["bands"] = ", ".join(
                    "none" if x is None else f"{x:.3f}" for x in mask.thresholds
                )
            rows.append(row)
    print_table(rows)
    if any(None in m.thresholds for one in found for m in one.calibration.masks.values()):
        print(
            f"none: nothing can be promised for {found[0].calibration.coverage:.0%}; there are too "
            "few speakers, or they differ too much"
        )
    for one in found:
        print(f"calibrated: {one.file}")
    return 0
