import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
