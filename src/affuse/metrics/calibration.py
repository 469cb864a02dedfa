"""Whether confidences mean what they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Bins of equal width over the confidence.
BINS = 15


@dataclass(frozen=True)
class Calibration:
    """How far predicted probabilities can be believed.

    Args:
        nll: Mean negative log-likelihood of the true class in nats.
        brier: Mean squared distance of the probabilities from the true class (0 to 2).
        ece: Expected calibration error: mean distance of confidence from accuracy over `BINS` bins
            of the confidence, weighted by their clips.
        confidence: Mean probability of the likeliest class; above the accuracy is overconfident.
    """

    nll: float
    brier: float
    ece: float
    confidence: float


def calibration(probabilities: np.ndarray, true: np.ndarray) -> Calibration:
    """Judge probabilities.

    Args:
        probabilities: (N, C), rows sum to 1.
        true: (N,) int class indices.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017.
    """
    rows = np.arange(len(true))
    sure, right = probabilities.max(1), probabilities.argmax(1) == true
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, sure - right, BINS)
    return Calibration(
        nll=float(-np.log(np.clip(probabilities[rows, true], 1e-12, None)).mean()),
        brier=float(((probabilities - np.eye(probabilities.shape[1])[true]) ** 2).sum(1).mean()),
        ece=float(np.abs(gaps).sum() / len(true)),
        confidence=float(sure.mean()),
    )
