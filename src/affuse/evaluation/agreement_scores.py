"""Scores of how far coders agree, with intervals over recordings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from affuse.evaluation.coders import SEVERAL, UNLABELLED, UNSURE
from affuse.interchange.segments import NOT_SURE, Segment
from affuse.metrics.agreement import (
    CLASS_AGREEMENT,
    cohens_kappa,
    coincidences,
    interval_alpha,
    interval_sums,
    nominal_alpha,
    specific_agreement,
)
from affuse.metrics.jackknife import LEAST_SPEAKERS, Scale, group_sums, left_out, t_interval
from affuse.metrics.over_time import SERIES_METRICS, series_scores

_COUNTED = {"unlabelled": UNLABELLED, "not_sure": UNSURE, "several_labels": SEVERAL}


@dataclass(frozen=True)
class Unit:
    """What coders say about one person in one recording.

    Args:
        recording: Its name.
        segments: Of each coder.
        frames: (N, R) int of each coder, see `in_frames`.
    """

    recording: str
    segments: list[list[Segment]]
    frames: np.ndarray


def compared(units: Sequence[Unit], coders: Sequence[str]) -> dict[str, Any]:
    """The agreement of every pair, and of all where there are more than two, as JSON values.

    Args:
        units: The people in the recordings; those of one recording are left out together.
        coders: Their names.
    """
    labels = {s.label for unit in units for own in unit.segments for s in own} - NOT_SURE
    names = sorted(labels)
    numbers = _as_numbers(names)
    groups = np.array([unit.recording for unit in units])
    recordings = len({*groups})
    few = f"an interval needs {LEAST_SPEAKERS} recordings, not {recordings}"
    pairs = [
        {
            "first": coders[a],
            "second": coders[b],
            **_pair([unit.frames[:, [a, b]] for unit in units], groups, names, numbers),
        }
        for a, b in combinations(range(len(coders)), 2)
    ]
    frames = [unit.frames for unit in units]
    return {
        "kind": "classes" if numbers is None else "dimension",
        **({"classes": names} if numbers is None else {}),
        "frames": int(sum(map(len, frames))),
        "counts": {
            coder: {
                "labelled": int(sum((x[:, k] >= 0).sum() for x in frames)),
                **{
                    word: int(sum((x[:, k] == value).sum() for x in frames))
                    for word, value in _COUNTED.items()
                },
            }
            for k, coder in enumerate(coders)
        },
        "pairs": pairs,
        **(_alpha(frames, groups, names, numbers) if len(coders) > 2 else {}),
        **({"no_interval": few} if recordings < LEAST_SPEAKERS else {}),
    }


def _as_numbers(names: Sequence[str]) -> np.ndarray | None:
    """The labels as numbers, where all of them are."""
    try:
        found = np.array([float(name) for name in names])
    except ValueError:
        return None
    return found if len(found) and np.isfinite(found).all() else None


def _pair(
    frames: Sequence[np.ndarray],
    groups: np.ndarray,
    names: Sequence[str],
    numbers: np.ndarray | None,
) -> dict[str, Any]:
    both = [x[(x >= 0).all(1)] for x in frames]
    count = {"frames": int(sum(map(len, both)))}
    if numbers is not None:
        return count | _numbers_agree(both, groups, numbers)
    size = len(names)
    confusions = np.zeros((len(both), size, size))
    for table, x in zip(confusions, both, strict=True):
        np.add.at(table, (x[:, 0], x[:, 1]), 1)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        table = sums.reshape(*sums.shape[:-1], size, size)
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.trace(table, axis1=-2, axis2=-1) / table.sum((-2, -1))
        each = np.moveaxis(specific_agreement(table), -1, 0)
        return {
            "agreement": share,
            "kappa": cohens_kappa(table),
            "alpha": nominal_alpha(table + np.swapaxes(table, -1, -2)),
            **dict(zip(names, each, strict=True)),
        }

    sums = group_sums(confusions.reshape(len(both), -1), groups)
    found, without = scores(sums.sum(0)), left_out(scores, sums)
    total = confusions.sum(0)
    return {
        **count,
        **{
            n: x
            for name, m in CLASS_AGREEMENT.items()
            for n, x in _told(name, found[name], without[name], m.scale)
        },
        "per_class": {
            name: {
                "first": int(total[k].sum()),
                "second": int(total[:, k].sum()),
                **dict(_told("agreement", found[name], without[name], "share")),
            }
            for k, name in enumerate(names)
        },
        "confusion": total.astype(int).tolist(),
    }


def _numbers_agree(
    both: Sequence[np.ndarray], groups: np.ndarray, numbers: np.ndarray
) -> dict[str, Any]:
    """CCC and its like of two coders; the second one's values are compared to the first one's."""
    there = [k for k, x in enumerate(both) if len(x)]
    if not there:
        return {**dict.fromkeys(("ccc", "pcc", "rmse", "mae", "alpha"))}
    values = [numbers[both[k]] for k in there]
    (scores,), _ = series_scores(
        [x[:, 1:] for x in values], [x[:, :1] for x in values], groups[there].tolist()
    )
    found: dict[str, Any] = {}
    for name in SERIES_METRICS:
        found[name] = _json(scores.values[name])
        found[f"{name}_interval_95"] = [_json(x) for x in scores.intervals[name]]
    return found | _alpha_of(np.stack([interval_sums(x) for x in values]), groups[there])


def _alpha(
    frames: Sequence[np.ndarray],
    groups: np.ndarray,
    names: Sequence[str],
    numbers: np.ndarray | None,
) -> dict[str, Any]:
    """Krippendorff's alpha of all coders together."""
    if numbers is not None:
        padded = np.append(numbers, np.nan)
        rows = [interval_sums(padded[np.where(x >= 0, x, len(numbers))]) for x in frames]
        return _alpha_of(np.stack(rows), groups)
    size = len(names)
    sums = group_sums(np.stack([coincidences(x, size).ravel() for x in frames]), groups)

    def scores(sums: np.ndarray) -> dict[str, np.ndarray]:
        return {"alpha": nominal_alpha(sums.reshape(*sums.shape[:-1], size, size))}

    return dict(
        _told("alpha", scores(sums.sum(0))["alpha"], left_out(scores, sums)["alpha"], "correlation")
    )


def _alpha_of(rows: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    sums = group_sums(rows, groups)
    without = left_out(lambda x: {"alpha": interval_alpha(x)}, sums)["alpha"]
    return dict(_told("alpha", interval_alpha(sums.sum(0)), without, "correlation"))


def _told(name: str, value: np.ndarray, without: np.ndarray, scale: Scale) -> list[tuple[str, Any]]:
    """A score and its interval over recordings as JSON values."""
    interval = t_interval(float(value), without, scale)
    return [(name, _json(float(value))), (f"{name}_interval_95", [_json(x) for x in interval])]


def _json(value: float) -> float | None:
    return None if math.isnan(value) else value
