"""`affuse compare`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="RUN|CSV",
        help="two or more runs whose test clips were evaluated, or tables of predictions "
        "(predictions.csv), of the same clips; the first is compared with each of the others",
    )
    parser.add_argument(
        "--metric",
        help="accuracy (or war), uar, macro_f1 (or f1), weighted_f1, nll, brier, ece; with votes "
        "of raters also divergence (or kl), jensen_shannon (or js), cross_entropy, agreement; of "
        "valence and arousal ccc, pcc, rmse, mae, sagr, ccc_per_video, or ccc_<dimension> "
        "(default: accuracy; with votes divergence; ccc)",
    )
    parser.add_argument(
        "--condition", metavar="NAME", help="default: the first that all tables have"
    )
    parser.add_argument("--all", action="store_true", help="compare every pair")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the comparisons as .json or .csv"
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Compare, and print a verdict and the tests of each pair."""
    from affuse.errors import BadInput
    from affuse.evaluation.compare import compare
    from affuse.execution.files import write_csv, write_json

    if options.out is not None and options.out.suffix not in (".json", ".csv"):
        raise BadInput(options.out, "name a file that ends in .json or .csv")
    result = compare(options.paths, options.metric, options.condition, options.all)
    if options.out is not None and options.out.suffix == ".json":
        write_json(options.out, result)
    elif options.out is not None:
        rows = [{"metric": result["metric"], **_flat(one)} for one in result["comparisons"]]
        write_csv(options.out, list(rows[0]), [list(row.values()) for row in rows])
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return 0
    one = result["comparisons"][0]
    clips = f"{one['clips']} clips"
    print(f"{result['metric']}, condition {result['condition']}, {clips}")
    for one in result["comparisons"]:
        print(f"\n{one['verdict']}")
        for line in _tests(one):
            print(f"  {line}")
    return 0


def _tests(one: Mapping[str, Any]) -> list[str]:
    """The tests of a pair, a line each."""
    lines = []
    if (test := one["permutation"]) is not None:
        ways = f"{'all' if test['exact'] else 'random'} {test['ways']:,} ways to swap speakers"
        lines.append(f"permutation test over speakers: {_p(test)} ({ways})")
    if (test := one["mcnemar"]) is not None:
        right = f"{test['first_alone']} clips right by the first alone, {test['second_alone']} by"
        lines.append(
            f"McNemar's exact test: {_p(test)} ({right} the second alone; ignores that "
            "clips of a speaker are alike)"
        )
    test = one["folds"]
    if "missing" in test:
        lines.append(f"corrected resampled t test: none, {test['missing']}")
    else:
        lines.append(
            f"corrected resampled t test: {_p(test)} ({test['folds']} folds, each taken "
            "to be trained on the clips of the others)"
        )
    return lines


def _p(test: Mapping[str, Any]) -> str:
    return "p < 0.0001" if test["p"] < 1e-4 else f"p = {test['p']:.4f}"


def _flat(one: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison as a row of a table."""
    test, counts, folds = (one[name] or {} for name in ("permutation", "mcnemar", "folds"))
    first, second = one["values"]
    low, high = one["interval_95"]
    return {
        "first": one["first"],
        "second": one["second"],
        "clips": one["clips"],
        "speakers": one["speakers"],
        "first_value": first,
        "second_value": second,
        "difference": one["difference"],
        "low": low,
        "high": high,
        "p_permutation": test.get("p"),
        "p_holm": one["p_holm"],
        "p_mcnemar": counts.get("p"),
        "p_folds": folds.get("p"),
        "smallest_difference": one["smallest_difference"],
        "speakers_needed": one["speakers_needed"],
        "verdict": one["verdict"],
    }
