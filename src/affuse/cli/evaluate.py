"""`affuse evaluate`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("run", type=Path, help="folder that `affuse train` made")
    parser.add_argument(
        "--conditions",
        nargs="+",
        metavar="NAME",
        help="default: av audio video, or the one modality of the model (affuse list conditions)",
    )
    parser.add_argument("--store", type=Path, help="where the streams are, if they have moved")
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Judge the run and print one row per condition."""
    from affuse.evaluation.evaluate import evaluate

    result = evaluate(options.run, options.conditions, options.store, options.device)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return 0
    print(f"{result['run']}: {result['role']} clips of {result['folds']} fold(s)")
    print(f"{'condition':14}{'clips':>6}{'accuracy':>10}  {'95 % interval':17}{'UAR':>7}{'F1':>8}")
    for name, scores in result["conditions"].items():
        low, high = scores["accuracy_interval_95"]
        interval = "" if low is None else f"{low:.3f} to {high:.3f}"
        print(
            f"{name:14}{scores['clips']:6}{scores['accuracy']:10.3f}  {interval:17}"
            f"{scores['uar']:7.3f}{scores['macro_f1']:8.3f}"
        )
    for name, scores in result["conditions"].items():
        if raters := scores.get("raters"):
            print(
                f"{name}: cross-entropy {raters['cross_entropy']:.3f}, of which "
                f"{raters['rater_entropy']:.3f} is the raters' own entropy; a rater agrees with "
                f"the model in {raters['agreement']:.1%}, with another rater in "
                f"{raters['rater_agreement']:.1%}, with most others in "
                f"{raters['human_ceiling']:.1%} of the cases"
            )
    print(f"predictions, scores and confusion matrices: {options.run / 'evaluation'}")
    return 0
