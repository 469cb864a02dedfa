from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from affuse.metrics.classification import accuracy_interval, classification_scores

labels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=60)


@given(labels)
def test_scores_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    true, predicted = np.array(pairs).T
    scores = classification_scores(true, predicted, 5)
    occurring = sorted(set(true))
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(true, predicted))
    recall = metrics.recall_score(
        true, predicted, labels=occurring, average="macro", zero_division=0
    )
    f1 = metrics.f1_score(true, predicted, labels=occurring, average="macro", zero_division=0)
    assert scores.uar == pytest.approx(recall) and scores.macro_f1 == pytest.approx(f1)
    confusion = metrics.confusion_matrix(true, predicted, labels=range(5))
    assert (scores.confusion == confusion).all()


def test_the_interval_is_over_speakers_not_clips() -> None:
    groups = np.repeat(np.arange(4), 100)
    right = groups < 2  # two speakers all right, two all wrong
    low, high = accuracy_interval(right, groups)
    assert 0 < low < 0.05 and 0.95 < high < 1
    low, high = accuracy_interval(right, np.arange(400))
    assert 0.44 < low < 0.5 < high < 0.56


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=80))
def test_an_interval_holds_the_accuracy_and_stays_within_0_and_1(
    clips: list[tuple[bool, int]],
) -> None:
    right, groups = map(np.array, zip(*clips, strict=True))
    low, high = accuracy_interval(right, groups)
    if len({*groups}) < 3:
        assert np.isnan([low, high]).all()
        return
    assert 0 <= low <= right.mean() + 1e-12 and right.mean() - 1e-12 <= high <= 1
    inner = accuracy_interval(right, groups, level=0.5)
    assert low <= inner[0] + 1e-12 and inner[1] <= high + 1e-12
    assert accuracy_interval(~right, groups) == pytest.approx((1 - high, 1 - low))


def test_where_all_speakers_are_alike_only_their_number_tells() -> None:
    groups = np.repeat(np.arange(3), 4)
    least = 0.025 ** (1 / 3)
    assert accuracy_interval(np.ones(12, bool), groups) == pytest.approx((least, 1))
    assert accuracy_interval(np.zeros(12, bool), groups) == pytest.approx((0, 1 - least))
    assert accuracy_interval(np.arange(12) % 4 == 0, groups) == pytest.approx((0.25, 0.25))


@pytest.mark.parametrize(("speakers", "least"), [(4, 0.92), (8, 0.93), (20, 0.93), (60, 0.93)])
def test_an_interval_covers_the_accuracy_of_people_as_often_as_it_says(
    speakers: int, least: float
) -> None:
    random = np.random.default_rng(speakers)
    for mean, deviation in product((0.5, 0.7, 0.85), (0.1, 0.15)):
        both = mean * (1 - mean) / deviation**2 - 1
        covered = 0
        for _ in range(2000):
            known = random.beta(mean * both, (1 - mean) * both, speakers)
            groups = np.repeat(np.arange(speakers), random.integers(20, 61, speakers))
            low, high = accuracy_interval(random.random(len(groups)) < known[groups], groups)
            covered += low <= mean <= high
        assert least <= covered / 2000 <= 0.97


@pytest.mark.parametrize("speakers", [1, 2])
def test_one_or_two_speakers_have_no_interval(speakers: int) -> None:
    assert np.isnan(accuracy_interval(np.arange(6) > 2, np.arange(6) % speakers)).all()
