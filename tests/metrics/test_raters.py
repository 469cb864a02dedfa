from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.special import rel_entr

from affuse.metrics.raters import rater_scores

VOTES = st.lists(
    st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(lambda row: sum(row) > 1),
    min_size=1,
    max_size=5,
)


def each(votes: list[list[int]]) -> list[list[int]]:
    return [[k for k, n in enumerate(row) for _ in range(n)] for row in votes]


@given(VOTES)
def test_ceilings_are_what_leaving_raters_out_gives(rows: list[list[int]]) -> None:
    votes = np.array(rows, float)
    scores = rater_scores(votes / votes.sum(1, keepdims=True), votes)
    right, pairs = [], []
    for raters in each(rows):
        hits, same = [], []
        for k, one in enumerate(raters):
            others = raters[:k] + raters[k + 1 :]
            counts = [others.count(c) for c in range(3)]
            first = [c for c in range(3) if counts[c] == max(counts)]
            hits.append((one in first) / len(first))
            same.append(np.mean([one == other for other in others]))
        right.append(np.mean(hits))
        pairs.append(np.mean(same))
    assert scores.human_ceiling == pytest.approx(np.mean(right))
    assert scores.rater_agreement == pytest.approx(np.mean(pairs))


@given(VOTES, st.integers(0, 99))
def test_nothing_is_better_than_the_raters_own_shares(rows: list[list[int]], seed: int) -> None:
    votes = np.array(rows, float)
    shares = votes / votes.sum(1, keepdims=True)
    best = rater_scores(shares, votes)
    assert best.divergence == pytest.approx(0, abs=1e-9)
    assert best.cross_entropy == pytest.approx(best.rater_entropy)
    assert best.agreement == pytest.approx(best.best_agreement)
    guess = np.random.default_rng(seed).dirichlet(np.ones(3), len(rows))
    other = rater_scores(guess, votes)
    assert other.cross_entropy >= other.rater_entropy - 1e-12
    assert other.agreement <= best.best_agreement + 1e-12


def test_certain_raters_leave_nothing_to_be_surprised_about() -> None:
    scores = rater_scores(np.array([[0.5, 0.5]]), np.array([[4.0, 0.0]]))
    assert (scores.rater_entropy, scores.human_ceiling) == (0, 1)
    assert scores.cross_entropy == pytest.approx(np.log(2))


@given(VOTES)
def test_the_ceiling_of_distributions_is_half_of_the_raters_against_the_other(
    rows: list[list[int]],
) -> None:
    votes = np.array(rows, float)
    found = []
    for raters in each(rows):
        n, ways = len(raters), []
        for half in combinations(range(n), n // 2):
            parts = [k for k in range(n) if k not in half]
            one, other = (np.bincount([raters[k] for k in p], minlength=3) for p in (half, parts))
            shares = [x / x.sum() for x in (one, other)]
            weights = np.array([len(half), len(parts)]) / n
            both = weights @ np.array(shares)
            ways.append(
                sum(w * rel_entr(x, both).sum() for w, x in zip(weights, shares, strict=True))
            )
        found.append(np.mean(ways))
    uniform = np.full(votes.shape, 1 / 3)
    assert rater_scores(uniform, votes).rater_jensen_shannon == pytest.approx(np.mean(found))


@given(st.integers(0, 999))
def test_the_divergence_of_jensen_and_shannon_is_that_of_scipy(seed: int) -> None:
    shares, guess = np.random.default_rng(seed).dirichlet(np.ones(4), (2, 6))
    scores = rater_scores(guess, shares)
    wanted = [jensenshannon(a, b) ** 2 for a, b in zip(shares, guess, strict=True)]
    assert scores.jensen_shannon == pytest.approx(np.mean(wanted))
    assert np.isnan(scores.rater_jensen_shannon) and np.isnan(scores.human_ceiling)
