"""Predicted values beside the annotation of every frame: tables, scores and curves."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.keys import group_clips
from affuse.errors import BadInput
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.execution.names import path_below
from affuse.features.batch import TARGET_RATE
from affuse.features.store import Store
from affuse.metrics.concordance import ccc
from affuse.metrics.over_time import SERIES_METRICS, SeriesScores, series_scores
from affuse.models.spec import ModelSpec, Smoothing
from affuse.tasks.annotated_targets import truth_of
from affuse.tasks.fold_fusion import centred_fusion
from affuse.tasks.judgement import Judgement, number
from affuse.tasks.plots import curves_png
from affuse.tasks.published_rules import Track, compare_rules
from affuse.tasks.series import Series, filled

_SHOWN = 4  # clips in the image


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


class DimensionalJudgement(Judgement):
    """Continuous valence and arousal of clips that were annotated.

    Values are smoothed as the model file says and clipped. All annotated frames count: where the
    model knows nothing, the value lies on a line between the known neighbours. Several models are
    fused, dimension by dimension, as `fuse` does by default.

    Args:
        names: Of the dimensions.
        data: Where the annotation is.
        streams: That clips need.
        truth: Folder with `<clip>.csv` (`time` and the dimensions), used instead of the annotation.
        conditions: Names.

    Raises:
        BadInput: There is no such folder, or a table in it is none.
    """

    def __init__(
        self,
        names: Sequence[str],
        data: Store,
        streams: Sequence[str],
        truth: Path | None,
        conditions: Sequence[str],
    ) -> None:
        self.names, self.truth = list(names), truth
        usable = data.usable(streams)
        if truth is not None and not truth.is_dir():
            raise BadInput(truth, "no such folder")
        found = {clip.id: truth_of(clip, data, names, truth) for clip in usable}
        self._truths = {clip: track for clip, track in found.items() if track is not None}
        self.clips = [clip for clip in usable if clip.id in self._truths]
        self.known = "with annotation" + (f"; {truth} holds no <clip>.csv of one" if truth else "")
        ids = [clip.id for clip in data.clips]
        self._groups = dict(zip(ids, group_clips(data.clips), strict=True))
        self.judged: dict[str, list[Judged]] = {name: [] for name in conditions}
        self._total = dict.fromkeys(conditions, 0)
        self._by_one = True

    def add(
        self,
        condition: str,
        fold: int,
        clip: Clip,
        said: Sequence[Series],
        members: Sequence[ModelSpec],
    ) -> None:
        """See `Judgement.add`; a clip of which a model knows nothing is counted alone."""
        self._total[condition] += 1
        self._by_one &= all(len(_tellers(members, name)) == 1 for name in self.names)
        if all(series.mask.any() for series in said):
            self.judged[condition].append(self._judge(fold, clip, said, members))

    def _judge(
        self, fold: int, clip: Clip, said: Sequence[Series], specs: Sequence[ModelSpec]
    ) -> Judged:
        target = self._truths[clip.id]
        seconds = max(len(series.mask) / series.rate for series in said)
        count = math.ceil(seconds * TARGET_RATE - 1e-6)
        times = np.arange(max(count, len(target.mask))) / TARGET_RATE
        truth = np.zeros((len(times), target.values.shape[1]), np.float32)
        labelled = np.zeros(len(times), bool)
        truth[: len(target.mask)], labelled[: len(target.mask)] = target.values, target.mask
        pairs = zip(said, specs, strict=True)
        smoothed = [series.smoothed(spec.smoothing).clipped() for series, spec in pairs]
        raw, final = np.zeros_like(truth), np.zeros_like(truth)
        smoothing: list[Smoothing] = []
        for d, name in enumerate(self.names):
            own = _tellers(specs, name)
            for column, series, clip_values in ((raw, said, False), (final, smoothed, True)):
                rows = [filled(series[k], times)[:, specs[k].outputs.index(name)] for k in own]
                column[:, d] = centred_fusion(np.stack(rows), clip=clip_values)
            smoothing.append(specs[own[0]].smoothing_of(name))
        known = np.logical_and.reduce([~np.isnan(series.at(times)).any(1) for series in said])
        return Judged(fold, clip, raw, final, known, truth, labelled, smoothing)

    def result(
        self, labels: Mapping[str, Any] | None, members: Mapping[str, ModelSpec]
    ) -> dict[str, Any]:
        """See `Judgement.result`."""
        result: dict[str, Any] = {
            "dimensions": self.names,
            "truth": "annotation" if self.truth is None else self.truth.name,
            "smoothing": {name: spec.smoothing for name, spec in members.items()},
            "conditions": {
                name: _scores(part, self.names, self._groups, self._total[name])
                for name, part in self.judged.items()
            },
        }
        shown = next((name for name, part in self.judged.items() if part), None)
        if shown is not None and self._by_one:
            part = self.judged[shown]
            tracks = {name: _tracks(part, d) for d, name in enumerate(self.names)}
            result["rules"] = {"condition": shown, "ccc": compare_rules(tracks)}
        return result

    def write(self, out: Path, result: Mapping[str, Any], title: str) -> None:
        """`scores.csv`, `metrics.json`, predictions per clip, and curves per condition."""
        write_judged(out, result, self.judged, self.names, title)


def _tellers(members: Sequence[ModelSpec], name: str) -> list[int]:
    """Which of some models predict a dimension."""
    return [k for k, spec in enumerate(members) if name in spec.outputs]


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
        facts[name] = number(scores.values[name])
        facts[f"{name}_interval_95"] = [number(x) for x in scores.intervals[name]]
    return facts


def write_judged(
    out: Path,
    result: Mapping[str, Any],
    judged: Mapping[str, Sequence[Judged]],
    names: Sequence[str],
    title: str,
) -> None:
    """Write predictions, scores and curves.

    Args:
        out: Folder.
        result: Everything for `metrics.json`.
        judged: Condition -> clips.
        names: Of the dimensions.
        title: Of the figures.
    """
    shutil.rmtree(out / "predictions", ignore_errors=True)  # of other conditions or folds
    header = ["time", *names, "known", *(f"annotated_{name}" for name in names)]
    for name, part in judged.items():
        for x in part:
            folder = out / "predictions" / name / f"fold{x.fold}"
            write_csv(path_below(folder, x.clip.id, ".csv"), header, _rows(x))
    write_csv(
        out / "scores.csv",
        [
            "condition",
            "baseline",
            "dimension",
            "metric",
            "value",
            "low",
            "high",
            "videos",
            "frames",
        ],
        [
            [
                name,
                result["baseline"],
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
                path.write_bytes(_picture(part, names, f"{title}, {name}"))


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


def _picture(judged: Sequence[Judged], names: Sequence[str], title: str) -> bytes:
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
