"""`affuse evaluate`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from affuse.cli.stores import add_fold, add_stores
from affuse.cli.surface import add_surface, check_surface, measure_surface


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="RUN|MODEL|CSV",
        help="folder that `affuse train` made, or a model file, converted or trained; several "
        "model files are scored as an ensemble; or a table of predictions (.csv)",
    )
    parser.add_argument(
        "--conditions",
        nargs="+",
        metavar="NAME",
        help="default: av audio video, or the one modality of the model (affuse list conditions)",
    )
    add_stores(parser)
    parser.add_argument(
        "--protocol",
        metavar="NAME|FILE",
        help="of model files: whose test clips are scored (affuse list protocols; default: all "
        "labelled clips of the store)",
    )
    add_fold(parser)
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
        help="for continuous valence and arousal: folder with <clip>.csv (time and a column per "
        "dimension) that is used instead of the annotation",
    )
    parser.add_argument(
        "--role",
        choices=("test", "development"),
        help="clips to score (default: test, or development where there is no test clip); "
        "development goes into a folder of its own",
    )
    parser.add_argument(
        "--baseline",
        choices=("none", "past", "all"),
        default="none",
        help="of models trained with normalisation=speaker: what is known of the speaker of a "
        "clip: nothing (the default), the clips that come before it in a fixed random order, or "
        "all clips of the speaker without their labels (transductive); past and all go into "
        "folders of their own",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the results (default: RUN/evaluation, or MODEL-evaluation beside the "
        "model file; of a table none)",
    )
    add_surface(parser)
    parser.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print the scores as JSON to stdout")


def run(options: argparse.Namespace) -> int:
    """Evaluate and print one row per condition; of a table, one per score."""
    if any(path.suffix.lower() == ".csv" for path in options.paths):
        return _score_table(options)
    check_surface(options)
    if options.surface is not None:
        return measure_surface(options)
    from affuse.cli.tables import print_table
    from affuse.evaluation.evaluate import evaluate
    from affuse.evaluation.subject import results_folder
    from affuse.tasks.registry import DEFAULT_TASK, TASKS
    from affuse.training.recipe_files import parse_change

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
        baseline=options.baseline,
    )
    for line in result.get("warnings", ()):
        print(f"affuse evaluate: {line}", file=sys.stderr)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return 0
    task = TASKS[result.get("task", DEFAULT_TASK)].load()
    for part in task.summary(result):
        if isinstance(part, str):
            print(part)
        else:
            print_table(part)
    folder = results_folder(options.paths, options.role, options.out, options.baseline)
    print(f"{task.written}: {folder}")
    return 0


def _score_table(options: argparse.Namespace) -> int:
    """Score a table of predictions."""
    from affuse.cli.scores import print_scores
    from affuse.errors import AffuseError
    from affuse.evaluation.scored import score_table

    if len(options.paths) > 1:
        raise AffuseError("score one table at a time; affuse compare takes several")
    nothing = {"baseline": "none", "device": "cpu"}
    others = ("store", "protocol", "fold", "labels", "truth", "role", "surface")
    for name in (*others, *nothing):
        if getattr(options, name) not in (None, [], nothing.get(name)):
            raise AffuseError(f"--{name} is for runs and model files, not for {options.paths[0]}")
    result = score_table(options.paths[0], options.conditions, options.out)
    if options.json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
        return 0
    print_scores(result)
    if options.out is not None:
        print(f"scores and figures: {options.out}")
    return 0
