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


def test_the_interval_draws_speakers_not_clips() -> None:
    groups = np.repeat(np.arange(4), 100)
    right = groups < 2  # two speakers all right, two all wrong
    low, high = accuracy_interval(right, groups)
    assert low == 0.0 and high == 1.0
    low, high = accuracy_interval(right, np.arange(400))
    assert 0.44 < low < 0.5 < high < 0.56


def test_one_speaker_has_no_interval() -> None:
    assert np.isnan(accuracy_interval(np.ones(3, bool), np.zeros(3))).all()
