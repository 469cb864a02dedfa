"""`affuse evaluate --surface`: scores on changed recordings."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affuse.cli.sources import read_sources


def add_surface(parser: argparse.ArgumentParser) -> None:
    """The arguments of a surface."""
    parser.add_argument(
        "--surface",
        nargs="*",
        metavar="CHANGE[=VALUE,...]",
        help="score the clips on changed recordings, change by change and value by value, such as "
        "white-noise=20,10,0 blur (affuse list changes; default: all changes of what the model "
        "reads), and write surface.csv, .json and .png; needs --root",
    )
    parser.add_argument(
        "--root", type=Path, metavar="ROOT", help="of --surface: where the corpus lies"
    )
    parser.add_argument(
        "--surface-stores",
        type=Path,
        metavar="DIR",
        help="of --surface: folder in which the streams of changed recordings stay, for other "
        "models (default: each store is removed once it is scored)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="of --surface: processes that make streams (default: 2)",
    )
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="STREAM=PATH",
        help="of --surface: the network of a frozen stream, if the store does not keep it",
    )


def check_surface(options: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        AffuseError: Something is for a surface alone, not for one, or lacks.
    """
    from affuse.errors import AffuseError

    if options.surface is not None:
        if options.conditions:
            raise AffuseError("--surface has conditions of its own; leave out --conditions")
        if options.root is None:
            raise AffuseError(
                "--surface makes streams of changed recordings; say where the corpus lies: --root"
            )
        return
    for name in ("root", "surface_stores", "source", "workers"):
        if getattr(options, name):
            raise AffuseError(f"--{name.replace('_', '-')} is for --surface")


def measure_surface(options: argparse.Namespace) -> int:
    """Measure, and print a row per change."""
    from affuse.cli.tables import print_table
    from affuse.evaluation.evaluate import Evaluation
    from affuse.evaluation.surface.measure import surface
    from affuse.training.recipe_files import parse_change

    changes = [parse_change(change) for change in options.labels]
    evaluation = Evaluation(
        options.paths,
        options.store,
        options.device,
        options.truth,
        options.role,
        options.protocol,
        options.fold,
        {key.removeprefix("labels."): value for key, value in changes},
        options.out,
        options.baseline,
    )
    result = surface(
        evaluation,
        options.root,
        options.surface,
        sources=read_sources(options.source),
        stores=options.surface_stores,
        workers=2 if options.workers is None else options.workers,
        tell=lambda line: print(f"affuse evaluate: {line}", file=sys.stderr),
    )
    for line in result.get("warnings", ()):
        print(f"affuse evaluate: {line}", file=sys.stderr)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return 0
    before = ", ".join(
        f"{name} {_shown(told['score'])}{_interval(told)}"
        for name, told in result["unchanged"].items()
    )
    title = evaluation.subject.title
    print(f"{title}: {result['metric']} of {result['clips']} clips; nothing changed: {before}")
    print_table([_row(told) for told in result["changes"]])
    most = max(result["changes"], key=lambda told: max(told["lost_clips"]))
    if lost := max(most["lost_clips"]):
        print(
            f"a change leaves nothing of up to {lost} clips ({most['change']}); they count as "
            "what the model says without the modality"
        )
    print(f"predictions, scores and figure: {evaluation.subject.out / 'surface'}")
    return 0


def _row(told: Mapping[str, Any]) -> dict[str, object]:
    """What the table says of a change."""
    whole, *single = told["scores"]
    relative = told["relative_area"]
    row: dict[str, object] = {
        "change": told["change"],
        "values": " ".join(f"{value:g}" for value in told["values"]),
        whole: " ".join(_shown(one["score"], 2) for one in told["scores"][whole]),
        "area": "" if relative is None else f"{relative:.1%}",
    }
    if single:
        row["below_floor"] = " ".join(f"{value:g}" for value in told["below_floor"]) or "-"
    return row


def _shown(score: float | None, digits: int = 3) -> str:
    return "-" if score is None else f"{score:.{digits}f}"


def _interval(told: Mapping[str, Any]) -> str:
    if told["low"] is None:
        return ""
    return f" ({told['low']:.3f} to {told['high']:.3f})"
