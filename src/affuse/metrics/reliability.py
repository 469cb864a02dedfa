"""What is drawn of confidences: accuracy in bins of them, and the error of the surest clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affuse.metrics.calibration import BINS, bins_of


@dataclass(frozen=True)
class Reliability:
    """Clips by their confidence, the highest probability, in `BINS` bins of equal width.

    Args:
        confidence: (BINS,) means; NaN in bins without clips.
        accuracy: (BINS,) means; NaN in bins without clips.
        clips: (BINS,) int.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    clips: np.ndarray


def reliability(probabilities: np.ndarray, true: np.ndarray) -> Reliability:
    """What the calibration error is made of.

    Args:
        probabilities: (N, C), rows sum to 1.
        true: (N,) int classes.
    """
    sure, right = probabilities.max(1), probabilities.argmax(1) == true
    place = bins_of(sure)
    clips = np.bincount(place, minlength=BINS)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, x, minlength=BINS) / clips for x in (sure, right)]
    return Reliability(means[0], means[1], clips)


def selective_risk(probabilities: np.ndarray, true: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share of clips that are kept, the surest first, and the share of them that is wrong.

    Clips that are as sure as each other are kept together, on a straight line in the number of
    mistakes. The mean of the risk is its area (AURC).

    Args:
        probabilities: (N, C), rows sum to 1.
        true: (N,) int classes.

    Returns:
        Coverage (N,), from 1 / N to 1, and risk (N,).

    Source: Geifman & El-Yaniv, Selective classification for deep neural networks, NeurIPS 2017.
    """
    _, group = np.unique(-probabilities.max(1), return_inverse=True)
    wrong = (probabilities.argmax(1) != true).astype(float)
    count = np.bincount(group)
    each = np.repeat(np.bincount(group, wrong) / count, count)
    kept = np.arange(1, len(wrong) + 1)
    return kept / len(wrong), np.cumsum(each) / kept
