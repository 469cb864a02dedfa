"""Scores of continuous valence and arousal, over all videos together and in each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from affuse.metrics.bootstrap import bootstrap_t_intervals
from affuse.metrics.concordance import SMALLEST_RANGE, ccc, pair, pearson, rmse
from affuse.metrics.jackknife import Metric, group_sums

SERIES_METRICS = {
    "ccc": Metric("CCC over all frames of all videos together", "correlation"),
    "ccc_per_video": Metric("mean of the CCC of each video", "correlation"),
    "pcc": Metric("Pearson's correlation over all frames together", "correlation"),
    "rmse": Metric("root of the mean squared difference", "amount", "min"),
    "mae": Metric("mean absolute difference", "amount", "min"),
    "sagr": Metric("sign agreement: share of frames on the same side of zero"),
}

#: Sums of a dimension.
_COLUMNS = 10


def mae(x: ArrayLike, y: ArrayLike) -> float:
    """Mean of the absolute difference.

    Args:
        x: (n,) values.
        y: (n,) values.

    Returns:
        Zero or more, in the unit of the values; NaN where there are none.

    Raises:
        ValueError: Other shapes.
    """
    x, y = pair(x, y)
    return float(np.abs(x - y).mean()) if x.size else math.nan


def sign_agreement(x: ArrayLike, y: ArrayLike) -> float:
    """Share of values that have the same sign; zero agrees with zero only.

    Args:
        x: (n,) values.
        y: (n,) values.

    Returns:
        0 to 1; NaN where there are none.

    Raises:
        ValueError: Other shapes.

    Source: Nicolaou, Gunes & Pantic, Continuous prediction of spontaneous affect (2011), SAGR.
    """
    x, y = pair(x, y)
    return float((np.sign(x) == np.sign(y)).mean()) if x.size else math.nan


@dataclass(frozen=True)
class SeriesScores:
    """Scores of one dimension.

    Args:
        values: Metric of `SERIES_METRICS` -> value; NaN where there are no frames.
        intervals: Metric -> lower and upper bound; NaN with fewer than three groups.
    """

    values: dict[str, float]
    intervals: dict[str, tuple[float, float]]


def series_scores(
    predicted: Sequence[np.ndarray],
    true: Sequence[np.ndarray],
    groups: Sequence[str],
    level: float = 0.95,
) -> tuple[list[SeriesScores], SeriesScores]:
    """Scores of all dimensions, with intervals over groups.

    Args:
        predicted: (n, D) of each video.
        true: (n, D) of each video, the same frames.
        groups: Of each video; those of one group (people, recordings) are left out together.
        level: Coverage of the intervals.

    Returns:
        The scores of each dimension, and their means over dimensions.
    """
    dimensions = true[0].shape[1]
    sums = group_sums(series_sums(predicted, true), np.asarray(groups))
    exact = [
        _exact([x[:, d] for x in predicted], [y[:, d] for y in true]) for d in range(dimensions)
    ]
    exact.append({name: float(np.mean([x[name] for x in exact])) for name in SERIES_METRICS})
    values = {name: np.array([x[name] for x in exact]) for name in SERIES_METRICS}
    scales = {name: metric.scale for name, metric in SERIES_METRICS.items()}
    intervals = bootstrap_t_intervals(series_means, sums, values, scales, level)
    *each, mean = (
        SeriesScores(x, {name: intervals[name][d] for name in SERIES_METRICS})
        for d, x in enumerate(exact)
    )
    return each, mean


def _exact(xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]) -> dict[str, float]:
    x, y = np.concatenate(xs), np.concatenate(ys)
    return {
        "ccc": ccc(x, y),
        "ccc_per_video": float(np.mean([ccc(a, b) for a, b in zip(xs, ys, strict=True)])),
        "pcc": pearson(x, y),
        "rmse": rmse(x, y),
        "mae": mae(x, y),
        "sagr": sign_agreement(x, y),
    }


def series_sums(predicted: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> np.ndarray:
    """What each video adds to the scores, (V, D * 10); arguments as `series_scores` has them."""
    return np.concatenate(
        [
            _sums([x[:, d] for x in predicted], [y[:, d] for y in true])
            for d in range(true[0].shape[1])
        ],
        1,
    )


def series_means(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Metric -> scores (..., D + 1) of each dimension and their mean, from sums (..., D * 10)."""
    parts = sums.reshape(*sums.shape[:-1], -1, _COLUMNS)
    return {
        name: np.concatenate([values, values.mean(-1, keepdims=True)], -1)
        for name, values in _from_sums(parts).items()
    }


def _sums(xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]) -> np.ndarray:
    """(V, 10) what all metrics can be computed from, per video, in float64.

    About a common level, for squares of what is far from zero would drown the variance.
    """
    level = float(np.concatenate(ys).mean()) if sum(map(len, ys)) else 0.0
    rows = []
    for a, b in zip(xs, ys, strict=True):
        x, y = a.astype(np.float64), b.astype(np.float64)
        absolute, agreed = np.abs(x - y).sum(), (np.sign(x) == np.sign(y)).sum()
        own = ccc(x, y)
        x, y = x - level, y - level
        rows.append([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y, absolute, agreed, own, 1.0])
    return np.array(rows, np.float64)


def _from_sums(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Metrics (...) from sums (..., 10)."""
    n, x, y, xx, yy, xy, absolute, agreed, own, videos = np.moveaxis(sums, -1, 0)
    n = np.maximum(n, 1)
    var_x, var_y = np.maximum(xx / n - (x / n) ** 2, 0), np.maximum(yy / n - (y / n) ** 2, 0)
    covariance, squared = xy / n - x * y / n**2, np.maximum((xx - 2 * xy + yy) / n, 0)
    # A constant series agrees with nothing, as in `ccc`; its rounded variance is not exactly 0.
    varies = np.minimum(var_x, var_y) > 1e-14
    spread = np.where(varies, var_x + var_y + ((x - y) / n) ** 2, 1)
    deviations = np.where(varies, np.sqrt(var_x * var_y), 1)
    return {
        "ccc": np.where(varies, 2 * covariance / np.maximum(spread, SMALLEST_RANGE), 0),
        "ccc_per_video": own / videos,
        "pcc": np.where(varies, covariance / np.maximum(deviations, SMALLEST_RANGE), 0),
        "rmse": np.sqrt(squared),
        "mae": absolute / n,
        "sagr": agreed / n,
    }
