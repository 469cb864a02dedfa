"""Scores of continuous valence and arousal, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from affuse.metrics.concordance import ccc, pearson, rmse
from affuse.metrics.over_time import SERIES_METRICS, mae, series_scores, sign_agreement


def videos(seed: int, count: int, level: float = 0.0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Predictions and truth (n, 2) of videos of different lengths."""
    rng = np.random.default_rng(seed)
    true = [rng.normal(level, 0.4, (int(rng.integers(2, 40)), 2)) for _ in range(count)]
    return [0.7 * y + rng.normal(0.1, 0.3, y.shape) for y in true], true


@given(st.integers(0, 500), st.integers(1, 8))
def test_scores_are_those_of_all_frames_together_and_of_each_video(seed: int, count: int) -> None:
    predicted, true = videos(seed, count)
    each, mean = series_scores(predicted, true, [str(k) for k in range(count)])
    for d, found in enumerate(each):
        x, y = (np.concatenate(part)[:, d] for part in (predicted, true))
        assert found.values["ccc"] == ccc(x, y) and found.values["pcc"] == pearson(x, y)
        assert found.values["rmse"] == rmse(x, y) >= found.values["mae"] == mae(x, y)
        own = [ccc(a[:, d], b[:, d]) for a, b in zip(predicted, true, strict=True)]
        assert found.values["ccc_per_video"] == pytest.approx(np.mean(own))
    for name in SERIES_METRICS:
        assert mean.values[name] == pytest.approx(np.mean([x.values[name] for x in each]))


@settings(max_examples=20)
@given(st.integers(0, 500), st.integers(3, 6), st.sampled_from([0.0, 100.0]))
def test_intervals_are_those_of_leaving_out_whole_groups(
    seed: int, count: int, level: float
) -> None:
    """Left out one by one, with every frame of every video of a group."""
    predicted, true = videos(seed, count + 1, level)
    groups = [*(f"g{k}" for k in range(count)), "g0"]
    each, mean = series_scores(predicted, true, groups)
    without = np.zeros((count, 2))
    for k in range(count):
        kept = [v for v in range(count + 1) if groups[v] != f"g{k}"]
        x, y = (np.concatenate([part[v] for v in kept]) for part in (predicted, true))
        without[k] = [ccc(x[:, d], y[:, d]) for d in range(2)]
    for found, left in (
        (each[0], without[:, 0]),
        (each[1], without[:, 1]),
        (mean, without.mean(1)),
    ):
        error = np.sqrt((count - 1) * np.var(np.arctanh(left)))
        reach = stats.t.ppf(0.975, count - 1) * error * np.array([-1, 1])
        wanted = np.tanh(np.arctanh(found.values["ccc"]) + reach)
        assert found.intervals["ccc"] == pytest.approx(tuple(wanted), abs=1e-6)


def test_one_group_has_no_interval_and_a_constant_agrees_with_nothing() -> None:
    predicted, true = videos(0, 3)
    each, _ = series_scores(predicted, true, ["a"] * 3)
    assert all(np.isnan(each[0].intervals[name]).all() for name in SERIES_METRICS)
    flat = [np.full_like(x, 0.3) for x in predicted]
    each, _ = series_scores(flat, true, ["a", "b", "c"])
    for name in ("ccc", "pcc", "ccc_per_video"):
        assert each[1].values[name] == 0 and each[1].intervals[name] == (0, 0)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30), st.floats(0.1, 5))
def test_the_sign_has_no_scale(values: list[float], scale: float) -> None:
    x = np.array(values)
    x[np.abs(x) < 1e-9] = 0
    assert sign_agreement(x, scale * x) == 1 and mae(x, x) == 0
    assert sign_agreement(x, -x) == pytest.approx((x == 0).mean())
    assert mae(x, x + scale) == pytest.approx(scale)


def test_nothing_has_no_difference_and_other_shapes_are_refused() -> None:
    for score in (mae, sign_agreement):
        assert np.isnan(score([], []))
        with pytest.raises(ValueError, match="shapes"):
            score(np.zeros(3), np.zeros(4))
