"""A run of values over time judged under every condition."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.keys import group_clips
from affuse.errors import BadInput
from affuse.evaluation.conditions import condition, default_conditions
from affuse.evaluation.plots import curves_png
from affuse.evaluation.published import Track, compare_rules
from affuse.evaluation.trained import (
    check_dimensions,
    filled,
    open_fold,
    predicted_series,
    truth_of,
)
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.execution.progress import progress
from affuse.features.batch import TARGET_RATE
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.metrics.concordance import ccc
from affuse.metrics.over_time import SERIES_METRICS, SeriesScores, series_scores
from affuse.models.modelfile import ModelSpec, Smoothing, read_spec
from affuse.models.sliding import Series
from affuse.training.run import MODEL_FILE, fold_number, read_run, read_split, trained_folds

_SHOWN = 4  # clips in the picture


@dataclass(frozen=True)
class Judged:
    """A clip as the model of one fold sees it under one condition, at 30 Hz.

    Args:
        fold: Number.
        clip: The clip.
        raw: (T, D) float32, neither smoothed nor clipped.
        final: (T, D) float32, smoothed and clipped.
        known: (T,) bool; values of other frames lie on a line between the nearest known ones.
        truth: (T, D) float32.
        labelled: (T,) bool, where there is a truth.
        smoothing: Of each dimension.
    """

    fold: int
    clip: Clip
    raw: np.ndarray
    final: np.ndarray
    known: np.ndarray
    truth: np.ndarray
    labelled: np.ndarray
    smoothing: list[Smoothing]


def evaluate_over_time(
    run: Path,
    conditions: Sequence[str] | None = None,
    store: Path | None = None,
    device: str = "cpu",
    truth: Path | None = None,
) -> dict[str, Any]:
    """Predict the test clips of all trained folds under each condition, and score every frame.

    Values are smoothed as the model file says and clipped. All annotated frames count: where the
    model knows nothing, the value lies on a line between the known neighbours. Where no test clip
    is annotated, the development clips are used, and the result says so.

    Args:
        run: Folder that `train` made.
        conditions: Names in `CONDITIONS`; by default those of what the model reads.
        store: Where the streams are, if they have moved since training.
        device: Torch device.
        truth: Folder with `<clip>.csv` (`time` and the dimensions), used instead of the annotation.

    Returns:
        The scores as written to `evaluation/metrics.json`; `scores.csv`, the predictions and a
        picture lie beside it.

    Raises:
        BadInput: The folder is no run, no fold has been trained, the store does not fit it, or
            nothing is known about its clips.
    """
    folders = trained_folds(run)
    first = read_spec(folders[0] / MODEL_FILE)
    changes = {name: condition(name) for name in conditions or default_conditions(first.streams)}
    data = Store(store or Path(read_run(run)["store"]))
    names = first.classes
    check_dimensions(data, names)
    usable = data.usable(list(first.streams))
    if truth is not None and not truth.is_dir():
        raise BadInput(truth, "no such folder")
    truths = {clip.id: truth_of(clip, data, names, truth) for clip in usable}
    splits = {folder: read_split(folder) for folder in folders}

    def chosen(folder: Path, role: str) -> list[Clip]:
        wanted = set(splits[folder][role])
        return [clip for clip in usable if clip.id in wanted and truths[clip.id] is not None]

    role = "test" if any(chosen(folder, "test") for folder in folders) else "development"
    if not any(chosen(folder, role) for folder in folders):
        where = f"; {truth} holds no <clip>.csv of one" if truth else ""
        raise BadInput(run, f"has neither test nor development clips with annotation{where}")
    judged: dict[str, list[Judged]] = {name: [] for name in changes}
    for folder in folders:
        model, spec = open_fold(folder, data, device)
        fold = fold_number(folder)
        for clip in progress(chosen(folder, role), f"evaluate fold {fold}"):
            for name, change in changes.items():
                series = predicted_series(model, spec, data, clip, change)
                target = truths[clip.id]
                assert target is not None
                if series.mask.any():
                    judged[name].append(_judge(series, target, spec, fold, clip))
    total = sum(len(chosen(folder, role)) for folder in folders)
    groups = dict(zip([clip.id for clip in data.clips], group_clips(data.clips), strict=True))
    result: dict[str, Any] = {
        "run": run.name,
        "task": "valence-arousal",
        "role": role,
        "folds": len(folders),
        "dimensions": names,
        "truth": "annotation" if truth is None else truth.name,
        "smoothing": {
            str(fold_number(folder)): read_spec(folder / MODEL_FILE).smoothing for folder in folders
        },
        "conditions": {name: _scores(part, names, groups, total) for name, part in judged.items()},
    }
    shown = next((name for name, part in judged.items() if part), None)
    if shown is not None:
        tracks = {name: _tracks(judged[shown], d) for d, name in enumerate(names)}
        result["rules"] = {"condition": shown, "ccc": compare_rules(tracks)}
    _write(run / "evaluation", result, judged, names)
    return result


def _judge(series: Series, target: Stream, spec: ModelSpec, fold: int, clip: Clip) -> Judged:
    count = math.ceil(len(series.mask) / series.rate * TARGET_RATE - 1e-6)
    times = np.arange(max(count, len(target.mask))) / TARGET_RATE
    truth = np.zeros((len(times), target.values.shape[1]), np.float32)
    labelled = np.zeros(len(times), bool)
    truth[: len(target.mask)], labelled[: len(target.mask)] = target.values, target.mask
    both = (series, series.smoothed(spec.smoothing).clipped())
    raw, final = (filled(x, times).astype(np.float32) for x in both)
    known = ~np.isnan(series.at(times)).any(1)
    smoothing = [spec.smoothing_of(name) for name in spec.classes]
    return Judged(fold, clip, raw, final, known, truth, labelled, smoothing)


def _tracks(judged: Sequence[Judged], d: int) -> list[Track]:
    return [
        Track(x.raw[:, d], x.final[:, d], x.truth[:, d], x.labelled, x.smoothing[d]) for x in judged
    ]


def _scores(
    judged: Sequence[Judged], names: list[str], groups: dict[str, str], total: int
) -> dict[str, Any]:
    """The scores of a condition as JSON values."""
    facts: dict[str, Any] = {
        "predictions": len(judged),
        "unknown_predictions": total - len(judged),
        "videos": len({x.clip.id for x in judged}),
        "groups": len({groups[x.clip.id] for x in judged}),
        "frames": int(sum(x.labelled.sum() for x in judged)),
        "known_frames": int(sum((x.labelled & x.known).sum() for x in judged)),
    }
    if not judged:
        return facts | {"dimensions": {}, "mean": {}}
    each, mean = series_scores(
        [x.final[x.labelled] for x in judged],
        [x.truth[x.labelled] for x in judged],
        [groups[x.clip.id] for x in judged],
    )
    facts["dimensions"] = {name: _json(part) for name, part in zip(names, each, strict=True)}
    return facts | {"mean": _json(mean)}


def _json(scores: SeriesScores) -> dict[str, Any]:
    """Metric -> value, and `<metric>_interval_95`; JSON has no NaN: what is undefined is null."""
    facts: dict[str, Any] = {}
    for name in SERIES_METRICS:
        facts[name] = _number(scores.values[name])
        facts[f"{name}_interval_95"] = [_number(x) for x in scores.intervals[name]]
    return facts


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _write(
    out: Path, result: dict[str, Any], judged: dict[str, list[Judged]], names: list[str]
) -> None:
    shutil.rmtree(out / "predictions", ignore_errors=True)  # of other conditions or folds
    header = ["time", *names, "known", *(f"annotated_{name}" for name in names)]
    for name, part in judged.items():
        for x in part:
            path = out / "predictions" / name / f"fold{x.fold}" / f"{x.clip.id}.csv"
            write_csv(path, header, _rows(x))
    write_csv(
        out / "scores.csv",
        ["condition", "dimension", "metric", "value", "low", "high", "videos", "frames"],
        [
            [
                name,
                dimension,
                metric,
                *(_cell(x) for x in (scores[metric], *scores[f"{metric}_interval_95"])),
                facts["videos"],
                facts["frames"],
            ]
            for name, facts in result["conditions"].items()
            for dimension, scores in [*facts["dimensions"].items(), ("mean", facts["mean"])]
            for metric in SERIES_METRICS
            if scores
        ],
    )
    write_json(out / "metrics.json", result)
    for old in out.glob("curves-*.png"):
        old.unlink()
    for name, part in judged.items():
        if part:
            with atomic_path(out / f"curves-{name}.png") as path:
                path.write_bytes(_picture(part, names, f"{result['run']}, {name}"))


def _rows(x: Judged) -> list[list[str]]:
    rows = zip(x.final.tolist(), x.known, x.truth.tolist(), x.labelled, strict=True)
    return [
        [
            f"{k / TARGET_RATE:.4f}",
            *(f"{value:.5f}" for value in values),
            str(int(known)),
            *(f"{value:.5f}" if there else "" for value in truth),
        ]
        for k, (values, known, truth, there) in enumerate(rows)
    ]


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _picture(judged: Sequence[Judged], names: list[str], title: str) -> bytes:
    """The curves of a few clips, from the best to the worst by mean CCC."""

    def score(x: Judged) -> float:
        values, truth = x.final[x.labelled].T, x.truth[x.labelled].T
        return float(np.mean([ccc(a, b) for a, b in zip(values, truth, strict=True)]))

    ranked = sorted(judged, key=score, reverse=True)
    places = sorted({round(k) for k in np.linspace(0, len(ranked) - 1, _SHOWN)})
    return curves_png(
        [
            (
                f"{x.clip.id}, fold {x.fold}",
                np.arange(len(x.known)) / TARGET_RATE,
                x.final,
                np.where(x.labelled[:, None], x.truth, np.nan),
            )
            for x in (ranked[k] for k in places)
        ],
        names,
        title,
    )
