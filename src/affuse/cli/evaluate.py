"""`affuse evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="RUN|MODEL",
        help="folder that `affuse train` made, or a model file, converted or trained; several "
        "model files are scored as an ensemble",
    )
    parser.add_argument(
        "--conditions",
        nargs="+",
        metavar="NAME",
        help="default: av audio video, or the one modality of the model (affuse list conditions)",
    )
    parser.add_argument(
        "--store", type=Path, help="prepared streams; of a run only if they have moved"
    )
    parser.add_argument(
        "--protocol",
        metavar="NAME|FILE",
        help="of model files: whose test clips are scored (affuse list protocols; default: all "
        "labelled clips of the store)",
    )
    parser.add_argument(
        "--fold",
        type=int,
        metavar="K",
        help="of the protocol (default: the fold that the model file was trained in, or 0)",
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="of model files of classes: the label rule, such as rule=majority channel=audio or "
        "rule=distribution ties=first (default: as trained, or the corpus's own labels)",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        metavar="DIR",
        help="for values over time: folder with <clip>.csv (time and a column per dimension) that "
        "is used instead of the annotation",
    )
    parser.add_argument(
        "--role",
        choices=("test", "development"),
        help="clips to score (default: test, or development where there is no test clip); "
        "development goes into a folder of its own",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the results (default: RUN/evaluation, or MODEL-evaluation beside the "
        "model file)",
    )
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Judge the run or the model files and print one row per condition."""
    from affuse.evaluation.evaluate import evaluate
    from affuse.evaluation.subject import results_folder
    from affuse.training.recipe import parse_change

    changes = [parse_change(change) for change in options.labels]
    result = evaluate(
        options.paths,
        options.conditions,
        options.store,
        options.device,
        options.truth,
        options.role,
        protocol=options.protocol,
        fold=options.fold,
        labels={key.removeprefix("labels."): value for key, value in changes},
        out=options.out,
    )
    for line in result.get("warnings", ()):
        print(f"affuse evaluate: {line}", file=sys.stderr)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return 0
    folder = results_folder(options.paths, options.role, options.out)
    if result.get("task") == "valence-arousal":
        _print_over_time(result)
        print(f"predictions, scores and curves: {folder}")
        return 0
    print(_headline(result) + _by_label_rule(result))
    wide = max(14, *(len(name) + 2 for name in result["conditions"]))
    print(
        f"{'condition':{wide}}{'clips':>6}{'accuracy':>9}  {'95 % interval':14}"
        f"{'UAR':>7}{'F1':>7}{'NLL':>7}{'ECE':>7}"
    )
    for name, scores in result["conditions"].items():
        low, high = scores["accuracy_interval_95"]
        interval = "" if low is None else f"{low:.3f} to {high:.3f}"
        print(
            f"{name:{wide}}{scores['clips']:6}{scores['accuracy']:9.3f}  {interval:14}"
            f"{scores['uar']:7.3f}{scores['macro_f1']:7.3f}"
            f"{scores['nll']:7.3f}{scores['ece']:7.3f}"
        )
    for name, scores in result["conditions"].items():
        if raters := scores.get("raters"):
            print(
                f"{name}: cross-entropy {raters['cross_entropy']:.3f}, of which "
                f"{raters['rater_entropy']:.3f} is the raters' own entropy; a rater agrees with "
                f"the model in {raters['agreement']:.1%}"
                + (
                    f", with another rater in {raters['rater_agreement']:.1%}, with most others in "
                    f"{raters['human_ceiling']:.1%}"
                    if raters["rater_agreement"] is not None
                    else ""
                )
                + " of the cases"
            )
            if raters["majority_clips"]:
                print(
                    f"{name}: {raters['majority_accuracy']:.1%} right of the "
                    f"{raters['majority_clips']} clips for which a majority of raters agrees"
                )
    print(f"predictions, scores and confusion matrices: {folder}")
    return 0


def _headline(result: dict[str, Any]) -> str:
    """What was scored."""
    if "run" in result:
        return f"{result['run']}: {result['role']} clips of {result['folds']} fold(s)"
    models = result["models"]
    who = models[0] if len(models) == 1 else f"ensemble of {len(models)} models"
    protocol = result["protocol"]
    if protocol is None:
        return f"{who}: all clips of the {result['corpus']} store (no --protocol)"
    number = f"fold {result['fold']} of {protocol['folds']}"
    return f"{who}: {result['role']} clips of {protocol['name']}, {number}"


def _by_label_rule(result: dict[str, Any]) -> str:
    """How clips got their labels, and how many have none, for model files."""
    if "labels" not in result:
        return ""
    rule = " ".join(f"{key}={value}" for key, value in result["labels"].items())
    unused = ", ".join(f"{count} {reason}" for reason, count in result["unused"].items())
    return f"; labels {rule}" + (f", in the store {unused}" if unused else "")


def _print_over_time(result: dict[str, Any]) -> None:
    """A row per condition, and a row per rule of scoring."""
    from affuse.cli.tables import print_table

    most = max(result["conditions"].values(), key=lambda facts: facts["predictions"])
    print(
        f"{_headline(result)}, {most['predictions']} predictions of {most['videos']} videos, "
        f"{most['frames']:,} frames, truth: {result['truth']}"
    )
    several = len(result["dimensions"]) > 1
    rows = []
    for name, facts in result["conditions"].items():
        row: dict[str, object] = {"condition": name}
        for dimension in result["dimensions"]:
            row[f"CCC {dimension}"] = _with_interval(facts["dimensions"].get(dimension))
        if several:
            row["mean"] = _with_interval(facts["mean"])
        row["mean per video"] = _shown(facts["mean"].get("ccc_per_video"))
        rows.append(row)
    print_table(rows)
    for name, facts in result["conditions"].items():
        if gone := facts["unknown_predictions"]:
            print(f"{name}: nothing is known in any frame in {gone} cases, which are left out")
        if gone := facts["frames"] - facts["known_frames"]:
            share = gone / facts["frames"]
            print(f"{name}: {share:.1%} of the frames are not known and lie between known ones")
    if rules := result.get("rules"):
        print(f"\nThe same predictions ({rules['condition']}), scored by other rules:")
        print_table(_by_rule(rules["ccc"], result["dimensions"]))


def _by_rule(rules: dict[str, Any], dimensions: list[str]) -> list[dict[str, object]]:
    default = rules["default"]
    return [
        {
            "rule": rule,
            **{name: _shown(scores[name]) for name in dimensions},
            **{
                f"{name} - default": ""
                if scores[name] is None or rule == "default"
                else f"{scores[name] - default[name]:+.3f}"
                for name in dimensions
            },
        }
        for rule, scores in rules.items()
    ]


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _with_interval(scores: dict[str, Any] | None) -> str:
    """A CCC with its 95 % interval."""
    if not scores:
        return ""
    low, high = scores["ccc_interval_95"]
    return _shown(scores["ccc"]) + ("" if low is None else f" ({low:.3f} to {high:.3f})")
