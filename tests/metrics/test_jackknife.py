"""Intervals from leaving speakers out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from affuse.metrics.classification import confusion_scores
from affuse.metrics.jackknife import group_sums, left_out, no_interval, t_interval


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=12))
def test_the_interval_of_a_mean_is_that_of_the_t_distribution(values: list[float]) -> None:
    x = np.array(values)
    sums = np.stack([x, np.ones(len(x))], 1)
    without = left_out(lambda s: {"mean": s[..., 0] / s[..., 1]}, sums)["mean"]
    mean, error = x.mean(), x.std(ddof=1) / np.sqrt(len(x))
    reach = stats.t.ppf(0.975, len(x) - 1) * error
    found = t_interval(float(mean), without, "difference")
    assert found == pytest.approx((mean - reach, mean + reach), abs=1e-9)


@given(
    st.sampled_from([("share", 0, 1), ("correlation", -1, 1), ("amount", 0, 9)]),
    st.integers(0, 999),
    st.integers(3, 9),
)
def test_an_interval_holds_its_score_and_stays_on_its_scale(
    kind: tuple[str, float, float], seed: int, speakers: int
) -> None:
    scale, least, most = kind
    random = np.random.default_rng(seed)
    without = random.uniform(least, most, speakers)
    without[random.random(speakers) < 0.2] = most  # all others are perfect
    value = float(without.mean())
    low, high = t_interval(value, without, scale)
    if value == most and scale == "correlation":
        assert np.isnan([low, high]).all()  # nothing varies at the end of the scale
        return
    assert least <= low <= value <= high
    assert high <= most or scale == "amount"


def test_what_is_undefined_or_of_two_speakers_has_no_interval() -> None:
    assert np.isnan(t_interval(0.5, np.array([0.4, 0.6]), "share")).all()
    assert np.isnan(t_interval(0.5, np.array([0.4, np.nan, 0.6]), "share")).all()
    assert no_interval(np.array(["a", "b", "c"])) == {}
    assert "needs 3 speakers, not 1" in no_interval(np.array(["a", "a"]))["no_interval"]


@given(st.integers(3, 30))
def test_perfect_speakers_tell_how_rare_others_can_be(speakers: int) -> None:
    """Of a share of 0.025 ** (1 / n), n perfect speakers in a row are drawn in 2.5 % of samples."""
    exact = stats.binomtest(speakers, speakers).proportion_ci(method="exact")
    found = t_interval(1.0, np.ones(speakers), "share")
    assert found == pytest.approx((exact.low, exact.high))
    assert t_interval(0.0, np.zeros(speakers), "share") == pytest.approx((0, 1 - exact.low))
    assert np.isnan(t_interval(1.0, np.ones(speakers), "correlation")).any()


def test_groups_are_added_up_in_the_order_of_their_names() -> None:
    sums = group_sums(np.arange(8.0).reshape(4, 2), np.array(["b", "a", "b", "c"]))
    assert sums.tolist() == [[2, 3], [4, 6], [6, 7]]


def test_intervals_of_recall_cover_it_with_eight_speakers() -> None:
    """The fast version of docs/results/intervals.py."""
    random, held, times = np.random.default_rng(3), 0, 1200
    level = np.array([0.6, 0.7, 0.8, 0.7])  # true recall of four classes
    for _ in range(times):
        count = random.integers(3, 15, (8, 4))
        known = np.clip(
            level + random.normal(0, 0.1, (8, 1)) + random.normal(0, 0.05, (8, 4)), 0, 1
        )
        right = random.binomial(count, known)
        sums = np.zeros((8, 4, 4))
        sums[:, range(4), range(4)] = right
        sums[:, range(4), [1, 2, 3, 0]] = count - right
        found, without = confusion_scores(sums.sum(0)), left_out(confusion_scores, sums)
        low, high = t_interval(float(found["uar"]), without["uar"], "share")
        held += low <= 0.7 <= high
    assert 0.93 <= held / times <= 0.97
