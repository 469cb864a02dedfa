"""Predicted values beside their annotation as files: tables, scores and curves."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.execution.names import path_below
from affuse.features.stream import TARGET_RATE
from affuse.metrics.concordance import ccc
from affuse.metrics.over_time import SERIES_METRICS
from affuse.models.spec import Smoothing
from affuse.tasks.judgement import ANNOTATED, FRAMES, PREDICTIONS_FILE
from affuse.tasks.plots import curves_png

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


def write_judged(
    out: Path,
    result: Mapping[str, Any],
    judged: Mapping[str, Sequence[Judged]],
    names: Sequence[str],
) -> None:
    """Write predictions and scores.

    Args:
        out: Folder.
        result: Everything for `metrics.json`.
        judged: Condition -> clips.
        names: Of the dimensions.
    """
    shutil.rmtree(out / "predictions", ignore_errors=True)  # of other conditions or folds
    header = ["time", *names, "known", *(f"{ANNOTATED}{name}" for name in names)]
    for name, part in judged.items():
        for x in part:
            write_csv(_frames(out, name, x), header, _rows(x))
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


def draw_judged(
    out: Path, judged: Mapping[str, Sequence[Judged]], names: Sequence[str], title: str
) -> None:
    """Draw the curves of some clips per condition.

    Args:
        out: Folder.
        judged: Condition -> clips.
        names: Of the dimensions.
        title: Of the figures.
    """
    for old in out.glob("curves-*.png"):
        old.unlink()
    for name, part in judged.items():
        if part:
            with atomic_path(out / f"curves-{name}.png") as path:
                path.write_bytes(_picture(part, names, f"{title}, {name}"))


def write_list(
    out: Path, baseline: str, judged: Mapping[str, Sequence[Judged]], groups: Mapping[str, str]
) -> None:
    """Write `predictions.csv`: where the values of each clip are, and what makes clips alike.

    Args:
        out: Folder.
        baseline: What was known of the speakers.
        judged: Condition -> clips.
        groups: Clip id -> clips that share a speaker, a session or a recording have one name.
    """
    rows = []
    for name, part in judged.items():
        for x in part:
            file = _frames(out, name, x).relative_to(out).as_posix()
            rows.append([x.fold, name, baseline, x.clip.id, groups[x.clip.id], file])
    lead = ["fold", "condition", "baseline", "clip", "speaker"]
    write_csv(out / PREDICTIONS_FILE, [*lead, FRAMES], rows)


def _frames(out: Path, condition: str, x: Judged) -> Path:
    """Where the values of a clip are."""
    return path_below(out / "predictions" / condition / f"fold{x.fold}", x.clip.id, ".csv")


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
