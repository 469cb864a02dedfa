"""One number that makes probabilities no surer than they are right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

#: Temperatures that are tried. None makes a model surer than it was: on other recordings than those
#: that it is calibrated on, it is wrong more often.
_RANGE = (1.0, 8.0)


def best_temperature(
    scores: np.ndarray, true: np.ndarray, shares: Callable[[np.ndarray], np.ndarray]
) -> float:
    """The temperature with the highest likelihood.

    Args:
        scores: (N, K) that are divided by it.
        true: (N,) int class indices.
        shares: Scores (N, K) -> log-probabilities (N, C).

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    rows = np.arange(len(true))

    def loss(logarithm: float) -> float:
        return float(-shares(scores / np.exp(logarithm))[rows, true].mean())

    found = minimize_scalar(loss, bounds=np.log(_RANGE), method="bounded")
    return round(float(np.exp(found.x)), 4)
