"""The folder that a training makes.

recipe.yaml              the recipe with every default written out
run.json                 store, corpus, licence, protocol, versions
labels.csv (or .txt)     copy of the file of `labels.file`
fold<k>/split.json       clip ids by role
fold<k>/log.csv          one row per epoch; TensorBoard files lie in fold<k>/tensorboard
fold<k>/checkpoints/     for --resume
fold<k>/model.safetensors  written when the fold is finished
evaluation/              made by `affuse evaluate`, with `--role development` as below
evaluation-development/
evaluation-past/         with `--baseline past`; so for `all`, and `evaluation-development-past`
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from affuse.errors import BadInput
from affuse.training.recipe import Recipe
from affuse.training.recipe_files import load_recipe

MODEL_FILE = "model.safetensors"
SPLIT_FILE = "split.json"


def read_run(run: Path) -> dict[str, Any]:
    """What `run.json` says.

    Raises:
        BadInput: The folder is no run.
    """
    try:
        facts: dict[str, Any] = json.loads((run / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(run, "is not a run (no run.json); make one: affuse train") from error
    return facts


def read_recipe(run: Path) -> Recipe:
    """The recipe of a run; its `labels.file` is the copy that lies in the run.

    Raises:
        BadInput: It cannot be read.
    """
    recipe = load_recipe(run / "recipe.yaml", written=True)
    copy = labels_copy(run, recipe)
    return replace(recipe, labels=replace(recipe.labels, file=str(copy or "")))


def labels_copy(run: Path, recipe: Recipe) -> Path | None:
    """Where a run keeps its `labels.file`; None for a recipe without."""
    file = recipe.labels.file
    return run / f"labels{Path(file).suffix}" if file else None


def read_split(folder: Path) -> dict[str, list[str]]:
    """Clip ids by role of a trained fold.

    Raises:
        BadInput: The folder holds no trained fold.
    """
    try:
        split: dict[str, list[str]] = json.loads((folder / SPLIT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(folder, "holds no trained fold") from error
    return split


def evaluation_folder(
    folder: Path, role: str | None = None, model: str = "", baseline: str = "none"
) -> Path:
    """Where the evaluation of a run lies: that of `development` clips by request has its own.

    So has that in which something is known of the speakers.

    Args:
        folder: The run, or where a model file lies.
        role: The clips that were asked for.
        model: Name of the model file without its suffix.
        baseline: What is known of the speakers of clips: `none`, `past` or `all`.
    """
    name = "evaluation-development" if role == "development" else "evaluation"
    name += "" if baseline == "none" else f"-{baseline}"
    return folder / (f"{model}-{name}" if model else name)


def trained_folds(run: Path) -> list[Path]:
    """Folders of the folds that have a model, in the order of their numbers.

    Raises:
        BadInput: The folder is no run, or no fold has been trained.
    """
    read_run(run)
    folders = sorted((path.parent for path in run.glob(f"fold*/{MODEL_FILE}")), key=fold_number)
    if not folders:
        raise BadInput(run, "has no trained fold yet; go on: affuse train ... --resume")
    return folders


def fold_number(folder: Path) -> int:
    """The k of a folder `fold<k>`."""
    return int(folder.name.removeprefix("fold"))
