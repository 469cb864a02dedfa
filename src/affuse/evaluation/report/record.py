"""What is recorded of a training: the facts that a report and a model card begin with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from affuse.evaluation.report.evaluated import Evaluated
from affuse.models.spec import ModelSpec
from affuse.models.spec_files import read_spec
from affuse.training.recipe import Recipe
from affuse.training.run import MODEL_FILE, fold_number, read_run, read_split

NOT_RECORDED = "not recorded"
#: TensorBoard's files are named after the second in which a training began.
_BEGAN = re.compile(r"events\.out\.tfevents\.(\d+)\.")


def fold_folders(run: Path) -> list[Path]:
    """The folders of the folds of a run, in the order of their numbers."""
    found = [path for path in run.glob("fold*") if path.name[4:].isdigit()]
    return sorted(found, key=fold_number)


def first_model(run: Path) -> Path | None:
    """The first model file of a run; None where there is none any more."""
    files = (folder / MODEL_FILE for folder in fold_folders(run))
    return next((file for file in files if file.is_file()), None)


def training_facts(one: Evaluated) -> dict[str, str]:
    """What was trained on what, in words.

    Args:
        one: What was evaluated.

    Returns:
        Name of a fact -> the fact; what is not known is `not recorded`. Empty without a run.

    Raises:
        BadInput: The folder is no run, or its model files cannot be read.
    """
    run, recipe = one.run, one.recipe
    if run is None or recipe is None:
        return {}
    told, file = read_run(run), first_model(run)
    spec = None if file is None else read_spec(file)
    versions = told.get("versions", {})
    return {
        "recipe": recipe.name,
        "task": recipe.task,
        "model": _model(recipe),
        "streams": ", ".join(recipe.streams),
        "corpus": str(told.get("corpus", NOT_RECORDED)),
        "licence of the data": str(told.get("licence", NOT_RECORDED)),
        "licence of the model": licence_of(spec) if spec is not None else NOT_RECORDED,
        "protocol": _protocol(told.get("protocol")),
        "clips by fold": _clips(run),
        "labels": _labels(recipe),
        "training": _training(recipe),
        "seed": str(recipe.seed),
        "normalisation": recipe.normalisation,
        "modality dropout": recipe.dropout.kind,
        "augmentation": _augmentation(recipe),
        "changed copies": _copies(told),
        "began with": recipe.init or "random weights",
        "calibration": calibration_of(spec),
        "leaks let pass": _leaks(told.get("leaks", {})),
        "begun": began(run),
        "versions": ", ".join(f"{name} {x}" for name, x in versions.items()) or NOT_RECORDED,
    }


def licence_of(spec: ModelSpec) -> str:
    """The terms of a model file."""
    return str(spec.training.get("licence") or NOT_RECORDED)


def calibration_of(spec: ModelSpec | None) -> str:
    """How a model was calibrated."""
    if spec is None:
        return NOT_RECORDED
    if spec.calibration is None:
        return "none"
    parts = [
        f"{name}: temperature {own.temperature:.2f}, {own.clips} clips of {own.speakers} speakers"
        for name, own in spec.calibration.masks.items()
    ]
    return f"for {spec.calibration.coverage:.0%} coverage ({'; '.join(parts)})"


def began(run: Path) -> str:
    """The day on which a training began, as its TensorBoard files say it."""
    names = (path.name for path in run.glob("fold*/tensorboard/*"))
    seconds = [int(found[1]) for name in names if (found := _BEGAN.match(name))]
    return f"{datetime.fromtimestamp(min(seconds), UTC):%Y-%m-%d}" if seconds else NOT_RECORDED


def _model(recipe: Recipe) -> str:
    options = {name: x for name, x in recipe.model.items() if name != "name"}
    return " ".join([recipe.model["name"], *(f"{name}={_plain(x)}" for name, x in options.items())])


def _plain(value: Any) -> str:
    """An option in words."""
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name}: {_plain(x)}" for name, x in value.items()) + ")"
    if isinstance(value, list | tuple):
        return "(" + ", ".join(map(_plain, value)) + ")"
    return str(value)


def _protocol(protocol: Mapping[str, Any] | None) -> str:
    if not protocol:
        return NOT_RECORDED
    digest = str(protocol.get("sha256") or "")
    version = f" version {protocol['version']}" if protocol.get("version") is not None else ""
    return f"{protocol.get('name')}{version}" + (f", SHA-256 {digest[:12]}" if digest else "")


def _clips(run: Path) -> str:
    """Clips by role in every fold."""
    parts = []
    for folder in fold_folders(run):
        if (folder / "split.json").is_file():
            split = read_split(folder)
            counts = ", ".join(f"{len(ids):,} {role}" for role, ids in split.items() if ids)
            parts.append(f"{fold_number(folder)}: {counts}")
    return "; ".join(parts) or NOT_RECORDED


def _labels(recipe: Recipe) -> str:
    usual = type(recipe.labels)()
    changed = {n: x for n, x in vars(recipe.labels).items() if x != getattr(usual, n)}
    for name in ("file", "rule"):
        changed.pop(name, None)
    return " ".join([recipe.labels.rule, *(f"{n}={_plain(x)}" for n, x in changed.items())])


def _training(recipe: Recipe) -> str:
    optimiser = recipe.optimiser
    return (
        f"epochs {recipe.epochs}, batches of {recipe.batch_size}, {optimiser.name}, learning "
        f"rate {optimiser.lr:g} ({optimiser.schedule}), {recipe.selection} epoch kept"
    )


def _augmentation(recipe: Recipe) -> str:
    changed = {name: x for name, x in vars(recipe.augmentation).items() if x}
    return ", ".join(f"{name} {_plain(x)}" for name, x in changed.items()) or "none"


def _copies(told: Mapping[str, Any]) -> str:
    changes = [", ".join(map(str, copy.get("changes", ()))) for copy in told.get("copies", ())]
    return "; ".join(changes) or "none"


def _leaks(leaks: Mapping[str, Any]) -> str:
    passed = leaks.get("let_pass")
    if passed is None:
        return NOT_RECORDED
    return ", ".join(f"{name} ({count})" for name, count in passed.items()) or "none"
