import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.metrics.calibration import BINS, calibration


def predictions(seed: int, clips: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.dirichlet(np.full(classes, 0.4), clips), random.integers(0, classes, clips)


@given(st.integers(0, 9999), st.integers(1, 60), st.integers(2, 8))
def test_scores_are_what_their_definitions_say(seed: int, clips: int, classes: int) -> None:
    probabilities, true = predictions(seed, clips, classes)
    scores = calibration(probabilities, true)
    bins: list[list[tuple[float, bool]]]
    log, squares, bins = 0.0, 0.0, [[] for _ in range(BINS)]
    for row, right in zip(probabilities.tolist(), true.tolist(), strict=True):
        log -= math.log(max(row[right], 1e-12))
        squares += sum((p - (k == right)) ** 2 for k, p in enumerate(row))
        sure = max(row)
        bins[min(int(sure * BINS), BINS - 1)].append((sure, row.index(sure) == right))
    gaps = [abs(sum(a for a, _ in part) - sum(b for _, b in part)) for part in bins]
    assert scores.nll == pytest.approx(log / clips)
    assert scores.brier == pytest.approx(squares / clips)
    assert scores.ece == pytest.approx(sum(gaps) / clips)
    assert scores.confidence == pytest.approx(probabilities.max(1).mean())


@given(st.integers(0, 9999), st.integers(1, 60), st.integers(2, 8))
def test_scores_lie_within_their_bounds_and_the_order_of_clips_is_nothing(
    seed: int, clips: int, classes: int
) -> None:
    probabilities, true = predictions(seed, clips, classes)
    scores = calibration(probabilities, true)
    accuracy = (probabilities.argmax(1) == true).mean()
    assert 0 <= scores.brier <= 2 and scores.nll >= 0
    assert abs(scores.confidence - accuracy) <= scores.ece + 1e-12 <= 1 + 1e-12
    assert 1 / classes - 1e-12 <= scores.confidence <= 1
    order = np.random.default_rng(seed).permutation(clips)
    again = calibration(probabilities[order], true[order])
    assert (again.nll, again.brier, again.ece) == pytest.approx(
        (scores.nll, scores.brier, scores.ece)
    )


def test_certain_and_right_or_wrong() -> None:
    right = calibration(np.eye(3), np.arange(3))
    assert (right.nll, right.brier, right.ece, right.confidence) == (0, 0, 0, 1)
    wrong = calibration(np.eye(3), np.array([1, 2, 0]))
    assert (wrong.brier, wrong.ece, wrong.confidence) == (2, 1, 1)
    assert wrong.nll == pytest.approx(-math.log(1e-12)), "finite"


def test_knowing_nothing_is_calibrated_where_classes_are_equally_many() -> None:
    scores = calibration(np.full((8, 4), 0.25), np.arange(8) % 4)
    assert scores.nll == pytest.approx(math.log(4)) and scores.brier == pytest.approx(0.75)
    assert scores.ece == pytest.approx(0) and scores.confidence == 0.25


def test_confidence_that_comes_true_has_no_error() -> None:
    sure = np.repeat([0.6, 0.8, 0.9], 1000)
    true = (np.random.default_rng(0).random(3000) > sure).astype(int)
    told = calibration(np.stack([sure, 1 - sure], 1), true)
    assert told.ece < 0.02
    boasted = calibration(np.tile([0.99, 0.01], (3000, 1)), true)
    assert boasted.ece == pytest.approx(0.99 - (true == 0).mean())
    assert told.nll < boasted.nll and told.brier < boasted.brier
