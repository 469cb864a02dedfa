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
    without = {"ccc": np.zeros((count, 2)), "rmse": np.zeros((count, 2))}
    for k in range(count):
        kept = [v for v in range(count + 1) if groups[v] != f"g{k}"]
        x, y = (np.concatenate([part[v] for v in kept]) for part in (predicted, true))
        without["ccc"][k] = [ccc(x[:, d], y[:, d]) for d in range(2)]
        without["rmse"][k] = [rmse(x[:, d], y[:, d]) for d in range(2)]
    for number, found in enumerate((*each, mean)):
        left = {name: np.c_[x, x.mean(1)][:, number] for name, x in without.items()}
        low, high = t_bounds(np.log, np.exp, found.values["rmse"], left["rmse"])
        assert found.intervals["rmse"] == pytest.approx((low, high), abs=1e-6)
        low, high = t_bounds(np.arctanh, np.tanh, found.values["ccc"], left["ccc"])
        assert -1 <= found.intervals["ccc"][0] <= low + 1e-6  # the bootstrap-t may be wider
        assert high - 1e-6 <= found.intervals["ccc"][1] <= 1


def t_bounds(to: np.ufunc, back: np.ufunc, value: float, without: np.ndarray) -> np.ndarray:
    """The t interval of a score from those without each group."""
    count = len(without)
    error = np.sqrt((count - 1) * np.var(to(without)))
    reach = stats.t.ppf(0.975, count - 1) * error * np.array([-1, 1])
    return np.asarray(back(to(value) + reach))


def test_intervals_of_the_ccc_cover_it_with_eight_speakers() -> None:
    """The fast version of docs/results/intervals.py."""
    random = np.random.default_rng(5)

    def speakers(count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        true = [np.cumsum(random.normal(0, 0.04, (40, 1)), 0) for _ in range(count)]
        noise = [random.normal(random.normal(0, 0.05), 0.15, (40, 1)) for _ in range(count)]
        return [random.normal(0.7, 0.1) * y + e for y, e in zip(true, noise, strict=True)], true

    x, y = (np.concatenate(part)[:, 0] for part in speakers(20_000))
    expected, held, times = ccc(x, y), 0, 400
    for _ in range(times):
        (found,), _ = series_scores(*speakers(8), list("abcdefgh"))
        low, high = found.intervals["ccc"]
        held += low <= expected <= high
    assert 0.92 <= held / times <= 0.98


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
