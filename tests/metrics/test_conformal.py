"""Thresholds hold for new speakers, whoever has how many clips, in whatever order."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from affuse.metrics.conformal import LEAST_SPEAKERS, conformal_threshold, not_ruled_out


def drawn(
    random: np.random.Generator, counts: np.ndarray, alike: float
) -> tuple[np.ndarray, np.ndarray]:
    """Normal scores of speakers; `alike` is the share of the variance that is the speaker's own."""
    speakers = np.repeat(np.arange(len(counts)), counts)
    own = random.normal(0, np.sqrt(alike), len(counts))
    return own[speakers] + random.normal(0, np.sqrt(1 - alike), len(speakers)), speakers


@pytest.mark.parametrize("speakers", [8, 12, 20])
@pytest.mark.parametrize("alike", [0.0, 0.3, 0.6])
def test_nine_tenths_of_the_clips_of_new_speakers_lie_below(speakers: int, alike: float) -> None:
    random = np.random.default_rng(speakers)
    covered = []
    for _ in range(400):
        scores, names = drawn(random, random.integers(10, 60, speakers), alike)
        found = conformal_threshold(scores, names, 0.9)
        if found is not None:
            covered.append(norm.cdf(found))
    assert len(covered) > 390
    assert 0.88 <= np.mean(covered) <= 0.92


@pytest.mark.parametrize("speakers", [10, 19, 20, 40])
def test_with_one_clip_each_it_is_the_quantile_of_split_conformal(speakers: int) -> None:
    scores = np.random.default_rng(speakers).permutation(speakers).astype(float)
    found = conformal_threshold(scores, np.arange(speakers), 0.9)
    exact = np.ceil(0.9 * (speakers + 1)) - 1  # the k-th smallest of 0, 1, ...
    assert found in (exact, min(exact + 1, speakers - 1))


def test_fewer_than_ten_clips_of_as_many_speakers_promise_nothing() -> None:
    assert conformal_threshold(np.arange(9.0), np.arange(9), 0.9) is None
    assert conformal_threshold(np.arange(9.0), np.arange(9), 0.8) is not None


def test_few_speakers_of_whom_one_is_all_strange_promise_nothing() -> None:
    scores, speakers = drawn(np.random.default_rng(0), np.full(6, 30), 0.0)
    assert conformal_threshold(scores, speakers, 0.9) is not None
    assert conformal_threshold(scores + 9 * (speakers == 5), speakers, 0.9) is None
    few = speakers < LEAST_SPEAKERS - 1
    assert conformal_threshold(scores[few], speakers[few], 0.9) is None


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), min_size=10, max_size=16),
    st.randoms(use_true_random=False),
)
def test_ten_speakers_are_enough_and_neither_order_nor_copies_count(
    clips: list[list[int]], random: Random
) -> None:
    """From 10 speakers on there is always a threshold of 90 %: one more takes no promise back."""
    scores = np.concatenate([np.array(own, float) for own in clips])
    names = np.repeat([f"s{k}" for k in range(len(clips))], [len(own) for own in clips])
    found = conformal_threshold(scores, names, 0.9)
    assert found is not None and found in scores
    order = np.array(random.sample(range(len(scores)), len(scores)))
    assert conformal_threshold(scores[order], names[order], 0.9) == found
    twice = names == "s3"  # the same clips of a speaker again: each of them counts half
    again = conformal_threshold(
        np.concatenate([scores, scores[twice]]), np.concatenate([names, names[twice]]), 0.9
    )
    assert again == found


@given(st.lists(st.floats(0, 1), min_size=30, max_size=60), st.sampled_from([0.8, 0.9]))
def test_more_coverage_never_lowers_the_threshold(scores: list[float], coverage: float) -> None:
    speakers = np.arange(len(scores)) % 12
    low = conformal_threshold(np.array(scores), speakers, coverage - 0.1)
    high = conformal_threshold(np.array(scores), speakers, coverage)
    assert low is not None and high is not None and low <= high


def test_the_likeliest_class_is_never_ruled_out_and_nothing_is_left_of_no_reading() -> None:
    rows = np.array([[0.5, 0.3, 0.2], [0.9, 0.06, 0.04], [np.nan] * 3])
    assert not_ruled_out(rows, 0.7).tolist() == [
        [True, True, False],
        [True, False, False],
        [False] * 3,
    ]
    assert not_ruled_out(rows, 0.0).sum(1).tolist() == [1, 1, 0]
