"""Predictions of one clip by the models of several folds, fused into one.

Source of the centred fusion: leader-follower attentive fusion (ICCVW 2021), released code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from affuse.metrics.concordance import published_ccc


def mean_fusion(
    predictions: ArrayLike, weights: ArrayLike | None = None, *, clip: bool
) -> np.ndarray:
    """The mean of the folds in every frame.

    Args:
        predictions: (K, n), one row per fold.
        weights: (K,), such as the CCC of each fold on its development set; none below zero. All
            folds alike by default.
        clip: Whether the result is cut off at -1 and 1.

    Returns:
        (n,) float64.

    Raises:
        ValueError: Another shape, values that are not finite, or weights that are negative or all
            zero.
    """
    folds = _checked(predictions)
    shares = np.ones(len(folds)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(folds),):
        raise ValueError(f"weights {shares.shape} for {len(folds)} folds")
    if not (np.isfinite(shares).all() and (shares >= 0).all() and shares.any()):
        raise ValueError(f"weights {shares.tolist()}: expected none below zero and one above")
    return _clipped(shares @ folds / shares.sum(), clip)


def centred_fusion(predictions: ArrayLike, *, clip: bool) -> np.ndarray:
    """The mean of the folds around a level that folds which agree with the others set.

    Every fold is centred; the mean of these is moved to the mean level of the folds, weighted by
    their agreement. A fold that contradicts the others has no weight, where the published code
    gives it a negative one, which can carry the level out of the range of the folds. Where no fold
    agrees with another, and with fewer frames than folds (where the published code compares
    frames instead of folds), the result is the plain mean.

    Args:
        predictions: (K, n), one row per fold.
        clip: Whether the result is cut off at -1 and 1.

    Returns:
        (n,) float64.

    Raises:
        ValueError: Another shape, or values that are not finite.
    """
    folds = _checked(predictions)
    weights = np.maximum(fold_agreement(folds), 0)
    if folds.shape[1] < len(folds) or not weights.any():
        return mean_fusion(folds, clip=clip)
    levels = folds.mean(1)
    level = weights @ levels / weights.sum()
    return _clipped(folds.mean(0) - levels.mean() + level, clip)


def fold_agreement(predictions: ArrayLike) -> np.ndarray:
    """The mean CCC of each fold with the others, by the published estimator.

    Args:
        predictions: (K, n), one row per fold.

    Returns:
        (K,) float64; 0 where there is one fold only.

    Raises:
        ValueError: Another shape, or values that are not finite.
    """
    folds = _checked(predictions)
    pairs = np.zeros((len(folds), len(folds)))
    for j, k in zip(*np.triu_indices(len(folds), 1), strict=True):
        pairs[j, k] = pairs[k, j] = published_ccc(folds[j], folds[k])
    return pairs.sum(1) / max(len(folds) - 1, 1)


def _checked(predictions: ArrayLike) -> np.ndarray:
    folds = np.asarray(predictions, np.float64)
    if folds.ndim != 2 or not len(folds):
        raise ValueError(f"predictions {folds.shape}: expected (folds, frames)")
    if not np.isfinite(folds).all():
        raise ValueError("predictions are not finite")
    return folds


def _clipped(values: np.ndarray, clip: bool) -> np.ndarray:
    return values.clip(-1, 1) if clip else values
