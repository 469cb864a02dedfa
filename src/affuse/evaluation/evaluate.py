"""A run or model files judged under every condition: per-clip predictions and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jsonargparse import ArgumentError, ArgumentParser

from affuse.corpora.clip import Clip
from affuse.corpora.labels import Labels
from affuse.errors import AffuseError, BadInput
from affuse.evaluation.conditions import condition, default_conditions
from affuse.evaluation.members import Member
from affuse.evaluation.over_time import evaluate_over_time
from affuse.evaluation.plots import confusion_png
from affuse.evaluation.subject import Role, Subject, open_subject
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.execution.progress import progress
from affuse.features.batch import Batch, collate, normalise
from affuse.features.store import Store
from affuse.features.stream import stream_duration, window_of, window_starts
from affuse.metrics.calibration import calibration
from affuse.metrics.classification import accuracy_interval, classification_scores
from affuse.metrics.raters import rater_scores
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec
from affuse.suggestions import unknown
from affuse.training.run import PREDICTIONS_FILE, read_recipe
from affuse.training.targets import Lesson, lesson, targets_of

_BATCH = 32


def evaluate(
    run: Path | Sequence[Path],
    conditions: Sequence[str] | None = None,
    store: Path | None = None,
    device: str = "cpu",
    truth: Path | None = None,
    role: Role | None = None,
    *,
    protocol: str | None = None,
    fold: int | None = None,
    labels: Mapping[str, Any] | None = None,
    out: Path | None = None,
) -> dict[str, Any]:
    """Predict clips under each condition, and score the predictions.

    Of a run the test clips of all trained folds are scored together. Of model files, converted or
    trained, the test clips of one fold of a protocol are, or all of a store; several files are an
    ensemble, whose prediction is the mean of their probabilities. Each clip is judged as `predict`
    would: the mean over windows that cover it, a quarter of a window apart at most. Where a
    protocol has no test clip at hand, the development clips are used, and the result says so.

    Args:
        run: Folder that `train` made, or one or several model files.
        conditions: Names in `CONDITIONS`; by default those of what the model reads: `av`, `audio`
            and `video`, or its one modality.
        store: Where the streams are; of a run, if they have moved since training.
        device: Torch device.
        truth: For values over time: folder with `<clip>.csv`, used instead of the annotation.
        role: Which clips; of `development` the results lie in `evaluation-development`.
        protocol: Of model files: name or file of a protocol.
        fold: Of the protocol; by default the one that a file was trained in, or the first.
        labels: Of model files of classes: how clips get their labels, as in recipes; by default
            as in training, of converted files as given.
        out: Folder for the results; by default `evaluation` in the run, or `<model>-evaluation`
            beside the model file.

    Returns:
        The scores as written to `metrics.json`; `predictions.csv` and a confusion matrix per
        condition lie beside it.

        Of values over time: what `evaluate_over_time` gives.

    Raises:
        BadInput: A folder is no run, a file no model file, no fold has been trained, or the store
            does not fit.
        AffuseError: The arguments do not go together.
    """
    paths = [run] if isinstance(run, Path) else list(run)
    subject = open_subject(paths, store, protocol, fold, role, out)
    names = conditions or default_conditions(subject.streams)
    changes = {name: condition(name, subject.streams) for name in names}
    over_time = subject.task == "valence-arousal"
    if labels and (over_time or subject.run is not None):
        why = "predicts values over time" if over_time else "has a recipe that says its labels"
        raise AffuseError(f"--labels is for model files of classes; {paths[0]} {why}")
    if over_time:
        return evaluate_over_time(subject, changes, device, truth)
    if truth is not None:
        raise AffuseError(f"--truth is for values over time; {paths[0]} predicts classes")
    return _evaluate_classes(subject, changes, device, labels or {})


def _evaluate_classes(
    subject: Subject,
    changes: Mapping[str, Callable[[Batch], Batch]],
    device: str,
    labels: Mapping[str, Any],
) -> dict[str, Any]:
    learned, rule = _lesson(subject, labels)
    role, parts = subject.parts(learned.clips, "with a label")
    tables = []
    for part in parts:
        models = [member.open(device) for member in part.members]
        firsts = range(0, len(part.clips), _BATCH)
        for first in progress(firsts, f"evaluate fold {part.fold}"):
            group = part.clips[first : first + _BATCH]
            said = [
                dict(_probabilities(model, member, group, changes, learned.names, device))
                for model, member in zip(models, part.members, strict=True)
            ]
            for name in changes:
                scores = np.mean([own[name] for own in said], 0)
                tables.append(
                    pd.DataFrame(scores, columns=[f"p_{c}" for c in learned.names]).assign(
                        fold=part.fold,
                        condition=name,
                        clip=[clip.id for clip in group],
                        speaker=[clip.speaker or clip.id for clip in group],
                        label=[_label(learned, clip) for clip in group],
                        predicted=[learned.names[i] for i in scores.argmax(1)],
                    )
                )
    table = pd.concat(tables, ignore_index=True)
    table["order"] = table["condition"].map(list(changes).index)
    table = table.sort_values(["order", "fold", "clip"], kind="stable").drop(columns="order")
    lead = ["fold", "condition", "clip", "speaker", "label", "predicted"]
    table = table[[*lead, *(name for name in table if name not in lead)]]
    out = subject.out
    rows = ([_cell(x) for x in row] for row in table.itertuples(index=False, name=None))
    write_csv(out / PREDICTIONS_FILE, [str(name) for name in table], rows)
    result: dict[str, Any] = {
        **subject.facts(role, parts),
        **rule,
        "conditions": {
            str(name): _scores(part, learned)
            for name, part in table.groupby("condition", sort=False)
        },
    }
    write_json(out / "metrics.json", result)
    for old in out.glob("confusion-*.png"):
        old.unlink()
    for name, scores in result["conditions"].items():
        title = f"{subject.title}, {name}: {scores['accuracy']:.1%}"
        with atomic_path(out / f"confusion-{name}.png") as path:
            path.write_bytes(confusion_png(np.array(scores["confusion"]), learned.names, title))
    return result


def _lesson(subject: Subject, changes: Mapping[str, Any]) -> tuple[Lesson, dict[str, Any]]:
    """The labels of the clips in the order of the models' classes; of files also their rule.

    Raises:
        BadInput: The store has other classes than the models.
        AffuseError: The label rule does not fit.
    """
    data, spec = subject.data, subject.members[0].spec
    if subject.run is not None:
        learned = lesson(read_recipe(subject.run), data)
        if learned.names != spec.classes:
            raise BadInput(
                data.path,
                f"has the classes {', '.join(learned.names)}; the model has "
                f"{', '.join(spec.classes)}",
            )
        return learned, {}
    known = [one.name for one in fields(Labels)]
    if wrong := [key for key in changes if key not in known]:
        raise unknown("label key", wrong[0], known)
    by_default = {"rule": "distribution"} if spec.task == "distribution" else {}
    values = {**by_default, **spec.training.get("labels", {}), **changes}
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Labels)
    try:
        labels = Labels(**parser.instantiate(parser.parse_object(values)).as_dict())
    except (ArgumentError, TypeError, ValueError) as error:
        raise AffuseError(f"--labels: {' '.join(str(error).split())}") from None
    learned = targets_of(data, list(subject.streams), spec.task, labels, classes=spec.classes)
    told = {"rule": labels.rule, **labels.changes()}
    return learned, {"labels": told, "unused": learned.unused}


def _label(learned: Lesson, clip: Clip) -> str:
    """The class of a clip by the label rule: the first of those with the largest share."""
    target = learned.target(clip.id, 0.0, 0.0)
    return learned.names[int(target.argmax() if target.ndim else target)]


def _probabilities(
    model: Model,
    member: Member,
    clips: Sequence[Clip],
    changes: Mapping[str, Callable[[Batch], Batch]],
    classes: Sequence[str],
    device: str,
) -> Iterator[tuple[str, np.ndarray]]:
    """Condition and (N, C) float32, the mean over the windows of each clip, in some order of C."""
    spec = member.spec
    columns = [spec.classes.index(name) for name in classes]
    batch, rows = _windows(member.data, clips, spec)
    clean = normalise(batch.to(device), spec.normalisation)
    for name, change in changes.items():
        with torch.inference_mode():
            windows = model(change(clean)).logits.float().softmax(-1).cpu().numpy()
        if bad := [clips[row].id for row in rows[~np.isfinite(windows).all(1)]]:
            raise BadInput(member.file, f"gives numbers that are not finite for clip {bad[0]}")
        yield name, np.stack([windows[rows == k].mean(0) for k in range(len(clips))])[:, columns]


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


def _cell(value: object) -> object:
    return f"{value:.6f}" if isinstance(value, float) else value


def _number(value: float) -> float | None:
    """JSON has no NaN: an undefined score is null."""
    return None if np.isnan(value) else float(value)
