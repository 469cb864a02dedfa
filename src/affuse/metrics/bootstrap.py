"""Intervals from drawing speakers, for correlations, which a few of them decide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from affuse.metrics.jackknife import (
    LEAST_SPEAKERS,
    LINKS,
    Interval,
    Scale,
    Scores,
    jackknife_error,
    left_out,
    t_interval,
)

_DRAWS, _SEED = 1000, 0
_AT_ONCE = 2_000_000  # sums in memory
#: Speakers from which on the t distribution will do (and drawing them takes long).
_MANY = 200


def bootstrap_t_intervals(
    scores: Scores,
    sums: np.ndarray,
    values: Mapping[str, np.ndarray],
    scales: Mapping[str, Scale],
    level: float = 0.95,
) -> dict[str, list[Interval]]:
    """Intervals over speakers: `t_interval`, of correlations the bootstrap-t where it is wider.

    How far off a correlation is, in standard errors, is taken from 1,000 samples of as many
    speakers, each with its own jackknife standard error. That says more than the t distribution
    where a few speakers decide both the score and its standard error. Amounts have no upper bound
    that would keep it finite with few speakers. How often they cover: docs/results/intervals.md.

    Args:
        scores: From sums (..., K) to scores (..., D) by name.
        sums: (G, K) of each speaker.
        values: (D,) of all speakers, by name.
        scales: Of the scores, by name.
        level: Coverage.

    Returns:
        D intervals by name; each NaN where `t_interval` gives none.

    Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 12.
    """
    without = left_out(scores, sums)
    found = {
        name: [
            t_interval(float(value), without[name][:, d], scale, level)
            for d, value in enumerate(values[name])
        ]
        for name, scale in scales.items()
    }
    scales = {name: scale for name, scale in scales.items() if scale == "correlation"}
    if not scales or not LEAST_SPEAKERS <= len(sums) <= _MANY:
        return found
    drawn = _drawn(scores, sums, scales)
    for name, scale in scales.items():
        to, back, _ = LINKS[scale]
        with np.errstate(divide="ignore", invalid="ignore"):
            middle, error = to(values[name]), jackknife_error(to(without[name]).T)
            off = (to(drawn[name][0]) - middle) / jackknife_error(
                np.moveaxis(to(drawn[name][1]), 1, -1)
            )
        for d, (low, high) in enumerate(found[name]):
            if np.isnan(low) or not len(known := off[np.isfinite(off[:, d]), d]):
                continue
            least, most = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
            ends = back(middle[d] - error[d] * np.array([most, least]))
            found[name][d] = (min(low, float(ends[0])), max(high, float(ends[1])))
    return found


def _drawn(
    scores: Scores, sums: np.ndarray, names: Mapping[str, Scale]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Scores of samples of speakers by name: (draws, D), and (draws, G, D) without each."""
    random, count = np.random.default_rng(_SEED), len(sums)
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {name: [] for name in names}
    size = max(1, _AT_ONCE // sums.size)
    for first in range(0, _DRAWS, size):
        taken = sums[random.integers(count, size=(min(size, _DRAWS - first), count))]
        total = taken.sum(1)
        with np.errstate(divide="ignore", invalid="ignore"):
            whole, without = scores(total), scores(total[:, None] - taken)
        for name, part in parts.items():
            part.append((whole[name], without[name]))
    return {
        name: (np.concatenate([x for x, _ in part]), np.concatenate([y for _, y in part]))
        for name, part in parts.items()
    }
