"""What a number of speakers can show, against simulated studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.metrics.comparison import permutation_test
from affuse.metrics.power import (
    LEAST_SPEAKERS,
    LEVEL,
    POWER,
    independent_plan,
    power,
    smallest_difference,
    speakers_needed,
    spread_between,
)


@given(st.floats(0.01, 0.5), st.integers(3, 500))
def test_the_smallest_difference_is_seen_with_the_power_that_was_asked_for(
    deviation: float, speakers: int
) -> None:
    least = smallest_difference(deviation, speakers)
    assert power(deviation, speakers, least) == pytest.approx(POWER, abs=1e-4)
    assert power(deviation, speakers, 0) == pytest.approx(LEVEL)
    assert power(deviation, speakers, -least) == pytest.approx(POWER, abs=1e-4)


@given(st.floats(0.01, 0.3), st.floats(0.005, 0.5))
def test_one_speaker_less_than_needed_does_not_do(deviation: float, difference: float) -> None:
    needed = speakers_needed(deviation, difference)
    assert needed is not None and smallest_difference(deviation, needed) <= difference
    if needed > LEAST_SPEAKERS:
        assert smallest_difference(deviation, needed - 1) > difference


def test_a_textbook_case() -> None:
    """An effect of half a standard deviation needs 34 pairs (Cohen 1988)."""
    assert speakers_needed(1.0, 0.5) == 34
    assert speakers_needed(0.1, 0.0) is None and speakers_needed(0.0, 0.1) == LEAST_SPEAKERS


def test_the_spread_between_speakers_is_told_from_that_of_their_clips() -> None:
    random = np.random.default_rng(0)
    speakers = np.repeat(np.arange(3000), random.integers(5, 40, 3000))
    chances = np.clip(random.normal(0.6, 0.1, 3000), 0, 1)
    right = random.random(len(speakers)) < chances[speakers]
    spread, within = spread_between(right.astype(float), speakers)
    assert spread == pytest.approx(0.1, abs=0.005)
    assert within == pytest.approx(0.24 - 0.01, abs=0.005)
    assert spread_between(np.tile([0.0, 1.0], 10), np.repeat(np.arange(10), 2))[0] == 0


def accuracy(sums: np.ndarray) -> dict[str, np.ndarray]:
    return {"accuracy": sums[..., 0] / sums[..., 1]}


@pytest.mark.parametrize("difference", [0.0, 0.06])
def test_the_permutation_test_sees_differences_as_often_as_planned(difference: float) -> None:
    """The fast version of docs/results/comparisons.py."""
    speakers, clips, level, spread, times = 12, 40, 0.7, 0.05, 700
    random, seen = np.random.default_rng(1), 0
    for _ in range(times):
        ease = level + random.normal(0, 0.08, speakers)
        apart = difference + random.normal(0, spread, speakers)
        chances = np.clip([ease + apart / 2, ease - apart / 2], 0, 1)
        sums = [
            np.stack([random.binomial(clips, p), np.full(speakers, clips)], 1).astype(float)
            for p in chances
        ]
        seen += permutation_test(accuracy, "accuracy", sums[0], sums[1]).p <= LEVEL
    deviation = independent_plan(level, spread).deviation(clips)
    wanted = power(deviation, speakers, difference)
    margin = 0.05 if difference else 3 * math.sqrt(LEVEL / times)
    assert seen / times == pytest.approx(wanted, abs=margin)
