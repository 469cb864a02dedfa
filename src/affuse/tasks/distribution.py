"""The shares of the raters' votes of each clip."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from affuse.tasks.classification import Classification
from affuse.tasks.task import Mode


class Distribution(Classification):
    """Cross-entropy with the shares of the raters' votes, which differs from the Kullback-Leibler
    divergence by what no model can change; the best epoch has the lowest.

    Args:
        outputs: Names of the classes.
    """

    name = "distribution"
    known: Mapping[str, Mode] = {"cross_entropy": "min", "divergence": "min", "agreement": "max"}

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Cross-entropy, divergence, and how often a random rater agrees with the first class."""
        from scipy.special import softmax

        from affuse.metrics.raters import rater_scores

        probabilities = softmax(predicted.astype(np.float64), -1)
        found = rater_scores(probabilities, targets)
        return {
            "cross_entropy": found.cross_entropy,
            "divergence": found.divergence,
            "agreement": found.agreement,
        }
