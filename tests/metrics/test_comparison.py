"""Tests of differences, against closed forms and by hand."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from affuse.metrics.comparison import (
    DRAWS,
    MOST_EXACT,
    corrected_t_test,
    holm,
    mcnemar,
    permutation_test,
)


def mean(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"mean": sums[..., 0] / sums[..., 1]}


def hits(*counts: int, of: int = 10) -> np.ndarray:
    """Sums of speakers with so many clips right."""
    return np.array([[count, of] for count in counts], float)


def test_a_permutation_test_of_three_speakers_by_hand() -> None:
    """Differences of 1, 2 and 3 clips: 4 ways up to the sign, of which none but 1 + 2 + 3 is 6."""
    found = permutation_test(mean, "mean", hits(5, 6, 7), hits(4, 4, 4))
    assert (found.p, found.ways, found.exact) == (0.5 / 4, 4, True)
    # 1, 1 and 1: the other three ways give 1
    assert permutation_test(mean, "mean", hits(5, 5, 5), hits(4, 4, 4)).p == 0.5 / 4
    # 1, 1 and -1: all but the way of 3 give 1, and count half
    assert permutation_test(mean, "mean", hits(5, 5, 4), hits(4, 4, 5)).p == (1 + 3 / 2) / 4


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=6))
def test_a_permutation_test_tries_every_way(counts: list[tuple[int, int]]) -> None:
    first, second = (hits(*part) for part in zip(*counts, strict=True))
    apart = (first - second)[:, 0]
    ways = [abs(np.dot(signs, apart)) for signs in product((-1, 1), repeat=len(apart))]
    observed = abs(apart.sum())
    p = np.mean([(w > observed) + 0.5 * (w == observed) for w in ways]) if observed else 1
    found = permutation_test(mean, "mean", first, second)
    assert found.p == pytest.approx(p)
    assert permutation_test(mean, "mean", second, first) == found


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 999))
def test_random_ways_agree_with_all_of_them_and_with_a_t_test(seed: int) -> None:
    random = np.random.default_rng(seed)
    second = hits(*random.integers(300, 600, MOST_EXACT + 1), of=1000)
    first = second + np.stack([random.normal(20, 40, len(second)).round(), 0 * second[:, 0]], 1)
    found = permutation_test(mean, "mean", first, second)
    assert not found.exact and found.ways == DRAWS
    assert permutation_test(mean, "mean", second, first) == found
    wanted = stats.ttest_rel(first[:, 0], second[:, 0]).pvalue
    assert found.p == pytest.approx(wanted, abs=0.03)


def test_models_that_are_equal_have_a_p_of_one() -> None:
    for speakers in (2, MOST_EXACT + 5):
        same = hits(*range(speakers), of=50)
        assert permutation_test(mean, "mean", same, same).p == 1
    right = np.arange(9) > 3
    assert mcnemar(right, right) == (0, 0, 1)
    assert corrected_t_test(np.zeros(4), 1 / 3) == (0, 1)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_the_test_of_mcnemar_is_the_exact_binomial_one(own: int, others: int, both: int) -> None:
    first = np.repeat([True, False, True], [own, others, both])
    second = np.repeat([False, True, True], [own, others, both])
    p = stats.binomtest(own, own + others).pvalue if own + others else 1
    assert mcnemar(first, second) == (own, others, pytest.approx(p))


def test_without_overlap_the_corrected_test_is_the_t_test() -> None:
    values = np.array([0.02, 0.05, -0.01, 0.04])
    t, p = corrected_t_test(values, 0.0)
    wanted = stats.ttest_1samp(values, 0)
    assert (t, p) == (pytest.approx(wanted.statistic), pytest.approx(wanted.pvalue))
    # 1/4 + 1/3 instead of 1/4
    assert corrected_t_test(values, 1 / 3)[0] == pytest.approx(t * np.sqrt(3 / 7))


def test_the_correction_of_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1, 1] and holm([0.2]) == [0.2] and holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_corrected_p_lies_between_its_own_and_that_of_bonferroni(values: list[float]) -> None:
    found = holm(values)
    for before, after in zip(values, found, strict=True):
        assert before <= after <= min(1, before * len(values)) + 1e-12
    assert [found[k] for k in np.argsort(values, kind="stable")] == sorted(found)
