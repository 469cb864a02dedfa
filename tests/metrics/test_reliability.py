"""What is drawn of confidences agrees with the calibration error, in closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from affuse.metrics.calibration import calibration
from affuse.metrics.reliability import reliability, selective_risk


def rows(sure: list[float]) -> np.ndarray:
    """Three classes, the first the likeliest."""
    x = np.array(sure)
    return np.stack([x, (1 - x) / 2, (1 - x) / 2], 1)


def test_the_bins_make_up_the_calibration_error() -> None:
    random = np.random.default_rng(0)
    shares, true = random.dirichlet([1, 1, 1], 500), random.integers(0, 3, 500)
    found = reliability(shares, true)
    there = found.clips > 0
    gaps = np.abs(found.confidence - found.accuracy)[there]
    error = (gaps * found.clips[there]).sum() / 500
    assert error == pytest.approx(calibration(shares, true).ece) and found.clips.sum() == 500


def test_risk_is_the_error_of_the_surest() -> None:
    kept, risk = selective_risk(rows([0.9, 0.5, 0.7, 0.6]), np.array([0, 0, 1, 0]))
    assert kept.tolist() == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(risk, [0, 1 / 2, 1 / 3, 1 / 4])


def test_the_order_of_clips_that_are_as_sure_does_not_count() -> None:
    sure = rows([0.8, 0.8, 0.8, 0.5])
    found = [selective_risk(sure, np.array(x))[1] for x in ([1, 0, 0, 0], [0, 0, 1, 0])]
    np.testing.assert_allclose(found[0], [1 / 3, 1 / 3, 1 / 3, 1 / 4])
    np.testing.assert_allclose(found[0], found[1])
