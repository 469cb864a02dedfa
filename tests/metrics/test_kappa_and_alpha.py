"""Agreement of coders, beside scikit-learn and Krippendorff's own examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, confusion_matrix, f1_score

from affuse.metrics.agreement import (
    cohens_kappa,
    coincidences,
    interval_alpha,
    interval_sums,
    nominal_alpha,
    specific_agreement,
)

#: Krippendorff (2011), example C: four observers, twelve units, 0 for a missing value.
OBSERVERS = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
).T


def test_alpha_is_as_in_the_example_of_krippendorff() -> None:
    assert float(nominal_alpha(coincidences(OBSERVERS - 1, 5))) == pytest.approx(0.743, abs=5e-4)
    values = np.where(OBSERVERS == 0, np.nan, OBSERVERS.astype(float))
    assert float(interval_alpha(interval_sums(values))) == pytest.approx(0.849, abs=5e-4)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60))
def test_kappa_and_the_agreement_on_each_class_are_those_of_scikit_learn(
    pairs: list[tuple[int, int]],
) -> None:
    one, other = np.array(pairs).T
    confusion = confusion_matrix(one, other, labels=range(4))
    found = float(cohens_kappa(confusion))
    if len({*one, *other}) > 1:
        assert found == pytest.approx(cohen_kappa_score(one, other, labels=range(4)))
    else:
        assert np.isnan(found)
    f1 = f1_score(one, other, labels=range(4), average=None, zero_division=np.nan)
    np.testing.assert_allclose(specific_agreement(confusion), f1)


@given(st.lists(st.lists(st.integers(-1, 2), min_size=3, max_size=3), min_size=2, max_size=30))
def test_alpha_of_units_is_alpha_of_their_sums(rows: list[list[int]]) -> None:
    labels = np.array(rows)
    parts = coincidences(labels[::2], 3) + coincidences(labels[1::2], 3)
    np.testing.assert_allclose(parts, coincidences(labels, 3))
    values = np.where(labels < 0, np.nan, labels.astype(float))
    halves = interval_sums(values[::2]) + interval_sums(values[1::2])
    np.testing.assert_allclose(halves, interval_sums(values))


def test_nothing_and_one_class_alone_have_no_agreement_beyond_chance() -> None:
    assert np.isnan(cohens_kappa(np.zeros((2, 2))))
    assert np.isnan(nominal_alpha(np.zeros((2, 2)))) and np.isnan(interval_alpha(np.zeros(4)))
    same = np.zeros((5, 2), int)
    assert np.isnan(nominal_alpha(coincidences(same, 2)))
    assert np.isnan(interval_alpha(interval_sums(same.astype(float))))
    half = np.array([[0, 0], [1, 1]])
    assert float(nominal_alpha(coincidences(half, 2))) == 1.0
