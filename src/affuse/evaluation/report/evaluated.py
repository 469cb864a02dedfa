"""What a report is about: evaluated runs, and tables of predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from affuse.errors import AffuseError, BadInput, shown
from affuse.evaluation.compare import DEFAULT_METRICS
from affuse.evaluation.pairing import paired
from affuse.evaluation.predictions import Predictions, read_predictions
from affuse.evaluation.scored import score_table
from affuse.features.speakers import AMOUNTS
from affuse.metrics.jackknife import Metric
from affuse.tasks.judgement import PREDICTIONS_FILE
from affuse.training.recipe import Recipe
from affuse.training.run import evaluation_folder, read_recipe, read_run

METRICS_FILE = "metrics.json"
#: Parts of a path that do not tell runs apart.
_COMMON = (PREDICTIONS_FILE, "evaluation")


@dataclass(frozen=True)
class Evaluated:
    """An evaluated run, or a table of predictions.

    Args:
        name: What the report calls it.
        path: As the user named it.
        run: The run, where one is known.
        recipe: Of the run.
        folder: With the results; None of a table alone.
        task: What the predictions are scored as.
        metrics: As `metrics.json` has them.
        predictions: Condition -> what was predicted; the conditions of `metrics`.
    """

    name: str
    path: Path
    run: Path | None
    recipe: Recipe | None
    folder: Path | None
    task: str
    metrics: Mapping[str, Any]
    predictions: Mapping[str, Predictions]

    @property
    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """Condition -> scores."""
        found: Mapping[str, Mapping[str, Any]] = self.metrics["conditions"]
        return found

    @property
    def first(self) -> Predictions:
        """The predictions under the first condition."""
        return next(iter(self.predictions.values()))

    @property
    def baseline(self) -> str:
        """What was known of the speakers, as results call it."""
        return str(self.metrics.get("baseline", AMOUNTS["none"]))


def read_all(paths: Sequence[Path]) -> list[Evaluated]:
    """What a report is about, all of it comparable.

    Args:
        paths: Runs, folders of an evaluation, or tables of predictions.

    Raises:
        BadInput: One cannot be used, or is of other clips, another corpus or baseline.
        AffuseError: One is named twice.
    """
    for path in paths:
        if paths.count(path) > 1:
            raise AffuseError(f"{path} is named twice")
    found = [read_evaluated(path) for path in paths]
    for other in found[1:]:
        _check_together(found[0], other)
    return [replace(one, name=name) for one, name in zip(found, _names(paths), strict=True)]


def read_evaluated(path: Path) -> Evaluated:
    """An evaluated run, the folder of an evaluation, or a table of predictions.

    Args:
        path: Of it. Of a folder that lies in a run, such as `RUN/evaluation-past`, the run is
            known too.

    Raises:
        BadInput: It is none of these, has not been evaluated, or is damaged.
    """
    if not path.is_dir():
        metrics, parts = score_table(path), read_predictions(path)
        task = next(iter(parts.values())).task
        return Evaluated(path.name, path, None, None, None, task, metrics, parts)
    folder, run = _places(path)
    metrics = _metrics(path, folder)
    parts = read_predictions(folder / PREDICTIONS_FILE)
    facts = {} if run is None else _facts(run)
    if missing := [name for name in metrics["conditions"] if name not in parts]:
        raise BadInput(
            folder,
            f"{PREDICTIONS_FILE} lacks condition {missing[0]} of {METRICS_FILE}; evaluate again",
        )
    named = {
        name: replace(parts[name], path=path, facts=parts[name].facts | facts)
        for name in metrics["conditions"]
    }
    task = next(iter(named.values())).task
    recipe = None if run is None else read_recipe(run)
    if recipe is not None and recipe.task == "classification":
        task = "classification"  # also where raters voted on what was scored
    return Evaluated(path.name, path, run, recipe, folder, task, metrics, named)


def common_condition(evaluated: Sequence[Evaluated]) -> str | None:
    """The first condition that all have; None where there is none."""
    first, *others = (one.conditions for one in evaluated)
    return next((name for name in first if all(name in other for other in others)), None)


def main_metric(evaluated: Sequence[Evaluated]) -> tuple[str, Metric]:
    """The metric that a report compares by, and what it is."""
    name = DEFAULT_METRICS[min(one.task for one in evaluated)]
    return name, evaluated[0].first.table.metrics[name]


def _places(path: Path) -> tuple[Path, Path | None]:
    """The folder with the results, and the run where there is one."""
    if (path / METRICS_FILE).is_file():
        return path, path.parent if (path.parent / "run.json").is_file() else None
    read_run(path)
    return evaluation_folder(path), path


def _metrics(path: Path, folder: Path) -> dict[str, Any]:
    """What `metrics.json` says."""
    file = folder / METRICS_FILE
    if not file.is_file():
        raise BadInput(path, f"has not been evaluated yet: affuse evaluate {path}")
    try:
        metrics: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if not metrics["conditions"]:
            raise ValueError("no condition")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(file, f"is no result of affuse evaluate ({error})") from error
    return metrics


def _facts(run: Path) -> dict[str, Any]:
    """What tells whether two runs can be compared."""
    told = read_run(run)
    return {name: told[name] for name in ("corpus", "protocol") if name in told}


def _check_together(first: Evaluated, other: Evaluated) -> None:
    """Refuse what cannot be on one page."""
    if first.baseline != other.baseline:
        raise BadInput(
            other.path,
            f"is of baseline {other.baseline}, {first.path} of {first.baseline}: they cannot be "
            "compared",
        )
    name = common_condition([first, other])
    one, second = first.first, other.first
    if name is not None:
        one, second = first.predictions[name], other.predictions[name]
    paired(one, second)


def _names(paths: Sequence[Path]) -> list[str]:
    """Short names that tell paths apart: their last parts, or all of them."""
    short = [_short(path) for path in paths]
    return [
        shown(name if short.count(name) == 1 else path)
        for name, path in zip(short, paths, strict=True)
    ]


def _short(path: Path) -> str:
    parts = path.absolute().parts
    common = len(list(takewhile(lambda part: part in _COMMON, reversed(parts))))
    last = len(parts) - common - 1
    first = last - parts[last].startswith("evaluation-")  # of a run that says more
    return "/".join(parts[first : last + 1]).removesuffix(".csv")
