"""Limits hold what they promise: models without a fault pass in 95 of 100 cases."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.evaluation.checks import limits
from affuse.metrics.classification import confusion_scores
from affuse.metrics.jackknife import group_sums

CLASSES = 4


def uar(sums: np.ndarray) -> np.ndarray:
    """(..., 1) of sums (..., C²)."""
    return confusion_scores(sums.reshape(*sums.shape[:-1], CLASSES, CLASSES))["uar"][..., None]


def cells(random: np.random.Generator, people: int, clips: int, worse: float = 0.0) -> np.ndarray:
    """(people, C²) counts of a model that is right of 70 % of the clips, of a second half of the
    people of fewer; people differ."""
    accuracy = 0.7 - worse * (np.arange(people) >= people / 2)
    each = np.clip(random.beta(7, 3, people) - 0.7 + accuracy, 0, 1)
    speaker = np.repeat(np.arange(people), clips)
    true = np.tile(np.arange(clips) % CLASSES, people)
    wrong = (true + random.integers(1, CLASSES, len(true))) % CLASSES
    named = np.where(random.random(len(true)) < each[speaker], true, wrong)
    rows = np.zeros((len(true), CLASSES**2))
    rows[np.arange(len(true)), true * CLASSES + named] = 1
    return group_sums(rows, speaker)


def passes(sums: np.ndarray, groups: np.ndarray, strata: np.ndarray) -> bool:
    found = limits.largest(limits.differences(uar, sums, groups[None]))[0]
    return bool(found <= limits.difference_limit(uar, sums, groups, strata, 300))


@pytest.mark.parametrize("people", [8, 20])
def test_fair_models_pass_in_95_of_100_cases_and_unfair_ones_fail(
    people: int,
) -> None:
    random, count = np.random.default_rng(0), 300
    groups, one = np.arange(people) // (people // 2), np.zeros(people, int)
    fair = [passes(cells(random, people, 24), groups, one) for _ in range(count)]
    unfair = [passes(cells(random, people, 24, 0.4), groups, one) for _ in range(40)]
    assert np.mean(fair) >= 0.95 - 2 * np.sqrt(0.95 * 0.05 / count)
    assert np.mean(unfair) <= 0.25


def test_groups_of_clips_change_places_within_speakers_alone() -> None:
    strata = np.array([0, 0, 1, 1, 1, 2])
    for order in np.concatenate([*limits.orders(strata, 50)]):
        assert sorted(order) == [0, 1, 2, 3, 4, 5]
        np.testing.assert_array_equal(strata[order], strata)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_models_at_the_allowance_pass_in_95_of_100_cases(share: float) -> None:
    clips = np.array([6] * 10)
    limit = limits.upper(limits.shares([share], clips)[:, 0])
    random = np.random.default_rng(1)
    each = random.beta(share * 9, (1 - share) * 9, (2000, 10))
    found = random.binomial(clips, each).sum(1) / 60
    assert np.mean(found <= limit) == pytest.approx(0.96, abs=0.025)
    assert np.mean(random.binomial(60, share + 0.3, 200) / 60 <= limit) < 0.2


def test_people_who_are_alike_in_mistakes_widen_a_limit() -> None:
    apart, together = np.ones(60, int), np.array([20, 20, 20])
    few, many = (limits.upper(limits.shares([0.1], x)[:, 0]) for x in (apart, together))
    assert many > few > 0.1


def test_outputs_that_agree_as_stated_pass() -> None:
    limit = limits.lower(limits.agreement([0.95], np.ones(40, int))[:, 0])
    more = limits.lower(limits.agreement([0.95], np.ones(400, int))[:, 0])
    assert 0.85 < limit < more < 0.95


def test_a_bias_to_one_class_is_above_the_limit_and_none_is_not() -> None:
    random = np.random.default_rng(2)
    held = []
    for _ in range(200):
        errors = random.normal(0, 3, (12, 4))
        held.append(np.abs(errors.sum(0)).max() <= limits.balance_limit(errors))
    assert np.mean(held) >= 0.92
    biased = random.normal([3, 0, 0, -3], 1, (12, 4))
    assert np.abs(biased.sum(0)).max() > limits.balance_limit(biased)
