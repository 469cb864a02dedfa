"""Values over time judged under every condition."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.keys import group_clips
from affuse.errors import BadInput
from affuse.evaluation.fold_fusion import centred_fusion
from affuse.evaluation.members import Member
from affuse.evaluation.plots import curves_png
from affuse.evaluation.published import Track, compare_rules
from affuse.evaluation.subject import Part, Subject
from affuse.evaluation.trained import filled, predicted_series, truth_of
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.execution.names import path_below
from affuse.execution.progress import progress
from affuse.features.batch import TARGET_RATE, Batch
from affuse.features.stream import Stream
from affuse.metrics.concordance import ccc
from affuse.metrics.over_time import SERIES_METRICS, SeriesScores, series_scores
from affuse.models.modelfile import Smoothing
from affuse.models.sliding import Series

_SHOWN = 4  # clips in the picture


@dataclass(frozen=True)
class Judged:
    """A clip as a model, or several together, see it under one condition, at 30 Hz.

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
    subject: Subject,
    changes: Mapping[str, Callable[[Batch], Batch]],
    device: str = "cpu",
    truth: Path | None = None,
) -> dict[str, Any]:
    """Predict clips under each condition, and score every frame.

    Values are smoothed as the model file says and clipped. All annotated frames count: where the
    model knows nothing, the value lies on a line between the known neighbours. Where no test clip
    is annotated, the development clips are used, and the result says so. Several model files are
    fused, dimension by dimension, as `fuse` does by default.

    Args:
        subject: What is evaluated.
        changes: Condition -> what it does to a normalised batch.
        device: Torch device.
        truth: Folder with `<clip>.csv` (`time` and the dimensions), used instead of the annotation.

    Returns:
        The scores as written to `metrics.json`; `scores.csv`, the predictions and a picture lie
        beside it.

    Raises:
        BadInput: Nothing is known about the clips, or the models do not give values over time.
    """
    data, members = subject.data, subject.members
    names = members[0].spec.classes
    if told := {name for member in members for name in member.spec.classes} - set(names):
        names = [name for name in data.classes if name in told or name in names]
    usable = data.usable(list(subject.streams))
    if truth is not None and not truth.is_dir():
        raise BadInput(truth, "no such folder")
    truths = {clip.id: truth_of(clip, data, names, truth) for clip in usable}
    where = f"with annotation; {truth} holds no <clip>.csv of one" if truth else "with annotation"
    known = [clip for clip in usable if truths[clip.id] is not None]
    role, parts = subject.parts(known, where)
    judged: dict[str, list[Judged]] = {name: [] for name in changes}
    for part in parts:
        models = [member.open(device) for member in part.members]
        for clip in progress(part.clips, f"evaluate fold {part.fold}"):
            target = truths[clip.id]
            assert target is not None
            for name, change in changes.items():
                said = [
                    predicted_series(model, member.spec, data, clip, change)
                    for model, member in zip(models, part.members, strict=True)
                ]
                if all(series.mask.any() for series in said):
                    judged[name].append(_judge(names, part, said, target, clip))
    total = sum(len(part.clips) for part in parts)
    groups = dict(zip([clip.id for clip in data.clips], group_clips(data.clips), strict=True))
    told_by = [str(m.fold) if subject.run else m.name for m in members]
    result: dict[str, Any] = {
        **subject.facts(role, parts),
        "dimensions": names,
        "truth": "annotation" if truth is None else truth.name,
        "smoothing": dict(zip(told_by, [m.spec.smoothing for m in members], strict=True)),
        "conditions": {name: _scores(part, names, groups, total) for name, part in judged.items()},
    }
    shown = next((name for name, part in judged.items() if part), None)
    by_one = all(len(_tellers(part.members, name)) == 1 for part in parts for name in names)
    if shown is not None and by_one:
        tracks = {name: _tracks(judged[shown], d) for d, name in enumerate(names)}
        result["rules"] = {"condition": shown, "ccc": compare_rules(tracks)}
    _write(subject, result, judged, names)
    return result


def _tellers(members: Sequence[Member], name: str) -> list[int]:
    """Which of some models predict a dimension."""
    return [k for k, member in enumerate(members) if name in member.spec.classes]


def _judge(
    names: Sequence[str], part: Part, said: Sequence[Series], target: Stream, clip: Clip
) -> Judged:
    seconds = max(len(series.mask) / series.rate for series in said)
    count = math.ceil(seconds * TARGET_RATE - 1e-6)
    times = np.arange(max(count, len(target.mask))) / TARGET_RATE
    truth = np.zeros((len(times), target.values.shape[1]), np.float32)
    labelled = np.zeros(len(times), bool)
    truth[: len(target.mask)], labelled[: len(target.mask)] = target.values, target.mask
    specs = [member.spec for member in part.members]
    smoothed = [x.smoothed(spec.smoothing).clipped() for x, spec in zip(said, specs, strict=True)]
    raw, final = np.zeros_like(truth), np.zeros_like(truth)
    smoothing: list[Smoothing] = []
    for d, name in enumerate(names):
        own = _tellers(part.members, name)
        for column, series, clip_values in ((raw, said, False), (final, smoothed, True)):
            rows = [filled(series[k], times)[:, specs[k].classes.index(name)] for k in own]
            column[:, d] = centred_fusion(np.stack(rows), clip=clip_values)
        smoothing.append(specs[own[0]].smoothing_of(name))
    known = np.logical_and.reduce([~np.isnan(series.at(times)).any(1) for series in said])
    return Judged(part.fold, clip, raw, final, known, truth, labelled, smoothing)


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
    subject: Subject, result: dict[str, Any], judged: dict[str, list[Judged]], names: list[str]
) -> None:
    out = subject.out
    shutil.rmtree(out / "predictions", ignore_errors=True)  # of other conditions or folds
    header = ["time", *names, "known", *(f"annotated_{name}" for name in names)]
    for name, part in judged.items():
        for x in part:
            folder = out / "predictions" / name / f"fold{x.fold}"
            write_csv(path_below(folder, x.clip.id, ".csv"), header, _rows(x))
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
                path.write_bytes(_picture(part, names, f"{subject.title}, {name}"))


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
