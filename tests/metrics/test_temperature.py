"""The temperature that is found is the one that was put in, and none makes a model surer."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from scipy.special import log_softmax

from affuse.metrics.calibration import calibration
from affuse.metrics.temperature import best_temperature

SHARES = partial(log_softmax, axis=1)


def drawn(heat: float) -> tuple[np.ndarray, np.ndarray]:
    """Scores `heat` times too sure, and classes drawn from what they should say."""
    random = np.random.default_rng(0)
    scores = random.normal(0, 2, (20_000, 4))
    chances = np.exp(SHARES(scores))
    true = (random.random((len(scores), 1)) > chances.cumsum(1)).sum(1).clip(max=3)
    return scores * heat, true


@pytest.mark.parametrize("heat", [1.5, 3.0])
def test_overconfidence_is_taken_back(heat: float) -> None:
    scores, true = drawn(heat)
    found = best_temperature(scores, true, SHARES)
    assert found == pytest.approx(heat, rel=0.05)
    before, after = (calibration(np.exp(SHARES(scores / t)), true) for t in (1.0, found))
    assert after.ece < 0.02 < before.ece and after.nll < before.nll


def test_a_modest_model_stays_modest() -> None:
    scores, true = drawn(0.5)
    assert best_temperature(scores, true, SHARES) == pytest.approx(1.0, abs=0.01)
