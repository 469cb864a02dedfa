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
    found = calibration_scores(calibration_sums(probabilities, true).sum(0))
    return Calibration(**{name: float(value) for name, value in found.items()})


def calibration_sums(probabilities: np.ndarray, true: np.ndarray) -> np.ndarray:
    """What each clip adds to the scores, (N, 4 + BINS).

    Args:
        probabilities: (N, C), rows sum to 1.
        true: (N,) int class indices.
    """
    rows, classes = np.arange(len(true)), probabilities.shape[1]
    sure, right = probabilities.max(1), probabilities.argmax(1) == true
    gaps = np.zeros((len(true), BINS))
    gaps[rows, bins_of(sure)] = sure - right
    nll = -np.log(np.clip(probabilities[rows, true], 1e-12, None))
    brier = ((probabilities - np.eye(classes)[true]) ** 2).sum(1)
    return np.column_stack([np.ones(len(true)), nll, brier, sure, gaps])


def bins_of(confidence: np.ndarray) -> np.ndarray:
    """(N,) int, the bin of each confidence from 0 to 1."""
    return np.minimum((confidence * BINS).astype(int), BINS - 1)


def calibration_scores(sums: np.ndarray) -> dict[str, np.ndarray]:
    """The fields of `Calibration` (...) from sums (..., 4 + BINS) over clips."""
    clips = sums[..., 0]
    return {
        "nll": sums[..., 1] / clips,
        "brier": sums[..., 2] / clips,
        "ece": np.abs(sums[..., 4:]).sum(-1) / clips,
        "confidence": sums[..., 3] / clips,
    }
