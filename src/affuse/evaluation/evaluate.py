"""A run judged under every condition: per-clip predictions and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.conditions import condition, default_conditions
from affuse.evaluation.over_time import evaluate_over_time
from affuse.evaluation.plots import confusion_png
from affuse.execution.files import atomic_path, write_json
from affuse.execution.progress import progress
from affuse.features.batch import Batch, collate, normalise
from affuse.features.extractor import check_same_stream
from affuse.features.store import Store
from affuse.features.stream import stream_duration, window_of, window_starts
from affuse.metrics.calibration import calibration
from affuse.metrics.classification import accuracy_interval, classification_scores
from affuse.metrics.raters import rater_scores
from affuse.models.modelfile import ModelSpec, load_model, move_to, read_spec
from affuse.training.run import (
    MODEL_FILE,
    PREDICTIONS_FILE,
    evaluation_folder,
    fold_number,
    read_recipe,
    read_run,
    read_split,
    trained_folds,
)
from affuse.training.targets import Lesson, lesson

_BATCH = 32


def evaluate(
    run: Path,
    conditions: Sequence[str] | None = None,
    store: Path | None = None,
    device: str = "cpu",
    truth: Path | None = None,
    role: Literal["test", "development"] | None = None,
) -> dict[str, Any]:
    """Predict the test clips of all trained folds under each condition, and score them.

    Clips of all folds are scored together, each as `predict` would: the mean over windows that
    cover it, a quarter of a window apart at most. Where a protocol has no test clip at hand, the
    development clips are used, and the result says so.

    Args:
        run: Folder that `train` made.
        conditions: Names in `CONDITIONS`; by default those of what the model reads: `av`, `audio`
            and `video`, or its one modality.
        store: Where the streams are, if they have moved since training.
        device: Torch device.
        truth: For values over time: folder with `<clip>.csv`, used instead of the annotation.
        role: Which clips; of `development` the results lie in `evaluation-development`.

    Returns:
        The scores as written to `evaluation/metrics.json`; `predictions.csv` and a confusion
        matrix per condition lie beside it.

        Of a run of values over time: what `evaluate_over_time` gives.

    Raises:
        BadInput: The folder is no run, no fold has been trained, or the store does not fit it.
        AffuseError: `truth` is given for a run of classes, or `role` for values over time.
    """
    folders = trained_folds(run)
    recipe = read_recipe(run)
    if recipe.task == "valence-arousal":
        if role is not None:
            raise AffuseError(f"--role is for runs of classes; {run} predicts values over time")
        return evaluate_over_time(run, conditions, store, device, truth)
    if truth is not None:
        raise AffuseError(f"--truth is for values over time; {run} predicts classes")
    streams = read_spec(folders[0] / MODEL_FILE).streams
    changes = {name: condition(name) for name in conditions or default_conditions(streams)}
    data = Store(store or Path(read_run(run)["store"]))
    learned = lesson(recipe, data)
    splits = {folder: read_split(folder) for folder in folders}
    out = evaluation_folder(run, role)
    if role is None:
        role = "test" if any(split["test"] for split in splits.values()) else "development"
    tables = []
    for folder in progress(folders, "evaluate"):
        model, spec = load_model(folder / MODEL_FILE)
        move_to(model, device)
        chosen = set(splits[folder][role])
        clips = [clip for clip in learned.clips if clip.id in chosen]
        if not clips:
            continue
        _check_store(data, learned.names, spec)
        for first in range(0, len(clips), _BATCH):
            group = clips[first : first + _BATCH]
            batch, rows = _windows(data, group, spec)
            clean = normalise(batch.to(device), spec.normalisation)
            for name, change in changes.items():
                with torch.inference_mode():
                    windows = model(change(clean)).logits.float().softmax(-1).cpu().numpy()
                scores = np.stack([windows[rows == k].mean(0) for k in range(len(group))])
                tables.append(
                    pd.DataFrame(scores, columns=[f"p_{c}" for c in spec.classes]).assign(
                        fold=fold_number(folder),
                        condition=name,
                        clip=[clip.id for clip in group],
                        speaker=[clip.speaker or clip.id for clip in group],
                        label=[_label(learned, clip) for clip in group],
                        predicted=[spec.classes[i] for i in scores.argmax(1)],
                    )
                )
    if not tables:
        raise BadInput(run, f"its protocol has no {role} clips at hand")
    table = pd.concat(tables, ignore_index=True)
    table["order"] = table["condition"].map(list(changes).index)
    table = table.sort_values(["order", "fold", "clip"], kind="stable").drop(columns="order")
    lead = ["fold", "condition", "clip", "speaker", "label", "predicted"]
    table = table[[*lead, *(name for name in table if name not in lead)]]
    with atomic_path(out / PREDICTIONS_FILE) as path:
        table.to_csv(path, index=False, float_format="%.6f", lineterminator="\n")
    result: dict[str, Any] = {
        "run": run.name,
        "role": role,
        "folds": len(folders),
        "conditions": {
            str(name): _scores(part, learned)
            for name, part in table.groupby("condition", sort=False)
        },
    }
    write_json(out / "metrics.json", result)
    for old in out.glob("confusion-*.png"):
        old.unlink()
    for name, scores in result["conditions"].items():
        title = f"{run.name}, {name}: {scores['accuracy']:.1%}"
        with atomic_path(out / f"confusion-{name}.png") as path:
            path.write_bytes(confusion_png(np.array(scores["confusion"]), learned.names, title))
    return result


def _check_store(data: Store, classes: list[str], spec: ModelSpec) -> None:
    """Refuse a store whose classes or streams are not those of the training."""
    if classes != spec.classes:
        raise BadInput(
            data.path,
            f"has the classes {', '.join(classes)}; the model has {', '.join(spec.classes)}",
        )
    for name, trained in spec.streams.items():
        check_same_stream(data.stream(name).spec, trained)


def _label(learned: Lesson, clip: Clip) -> str:
    """The class of a clip by the run's label rule: the first of those with the largest share."""
    target = learned.target(clip.id, 0.0, 0.0)
    return learned.names[int(target.argmax() if target.ndim else target)]


def _windows(data: Store, clips: Sequence[Clip], spec: ModelSpec) -> tuple[Batch, np.ndarray]:
    """The windows that cover some clips as one raw batch, and (W,) to which clip each belongs.

    Streams of a fixed span hold one window per clip.
    """
    fixed = any(stream.span is not None for stream in spec.streams.values())
    samples, rows = [], []
    for row, clip in enumerate(clips):
        streams = {name: data.stream(name)[clip.id] for name in spec.streams}
        duration = stream_duration(streams, spec.streams)
        starts = [0.0] if fixed else window_starts(duration, spec.seconds, spec.hop)
        for start in starts:
            samples.append(window_of(streams, spec.streams, start, spec.seconds))
            rows.append(row)
    return collate(samples, spec.streams, ids=[clips[row].id for row in rows]), np.array(rows)


def _scores(table: pd.DataFrame, learned: Lesson) -> dict[str, Any]:
    classes = learned.names
    index = {name: k for k, name in enumerate(classes)}
    true = table["label"].map(index).to_numpy()
    predicted = table["predicted"].map(index).to_numpy()
    scores = classification_scores(true, predicted, len(classes))
    low, high = accuracy_interval(true == predicted, table["speaker"].to_numpy())
    probabilities = table[[f"p_{name}" for name in classes]].to_numpy(float)
    right = table["label"] == table["predicted"]
    return {
        "clips": len(table),
        "speakers": int(table["speaker"].nunique()),
        "accuracy": scores.accuracy,
        "accuracy_interval_95": [_number(low), _number(high)],
        "uar": scores.uar,
        "macro_f1": scores.macro_f1,
        **asdict(calibration(probabilities, true)),
        "accuracy_per_fold": {
            str(k): float(v) for k, v in right.groupby(table["fold"]).mean().items()
        },
        "per_class": {
            name: {
                "recall": _number(scores.recall[k]),
                "precision": _number(scores.precision[k]),
                "f1": _number(scores.f1[k]),
                "clips": int(scores.confusion[k].sum()),
            }
            for name, k in index.items()
        },
        "classes": classes,
        "confusion": scores.confusion.tolist(),
        **({"raters": _beside_raters(table, learned)} if learned.votes else {}),
    }


def _beside_raters(table: pd.DataFrame, learned: Lesson) -> dict[str, Any]:
    """The predicted distributions beside those of the people who rated the clips."""
    predicted = table[[f"p_{name}" for name in learned.names]].to_numpy(float)
    votes = np.stack([learned.votes[clip] for clip in table["clip"]])
    scores = {name: _number(x) for name, x in asdict(rater_scores(predicted, votes)).items()}
    clear = table[table["clip"].isin(learned.majority)]
    right = (clear["label"] == clear["predicted"]).to_numpy()
    interval = accuracy_interval(right, clear["speaker"].to_numpy())
    return {
        **scores,
        "majority_clips": len(clear),
        "majority_accuracy": _number(right.mean()) if len(clear) else None,
        "majority_interval_95": [_number(x) for x in interval],
    }


def _number(value: float) -> float | None:
    """JSON has no NaN: an undefined score is null."""
    return None if np.isnan(value) else float(value)
