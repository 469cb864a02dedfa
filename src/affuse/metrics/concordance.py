"""The concordance correlation coefficient (CCC): scores, and losses sound and as published."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from torch import Tensor

#: Of a series that is not constant; the squares of smaller numbers are rounded to zero.
SMALLEST_RANGE = 1e-150


def ccc(x: ArrayLike, y: ArrayLike) -> float:
    """CCC with moments of the population.

    Args:
        x: (n,) values.
        y: (n,) values.

    Returns:
        -1 to 1; 0 where a series is constant or empty.

    Raises:
        ValueError: Other shapes.

    Source: Lin, A concordance correlation coefficient to evaluate reproducibility (1989).
    """
    return _ccc(x, y, 0)


def published_ccc(x: ArrayLike, y: ArrayLike) -> float:
    """CCC with the covariance of the population and unbiased variances.

    Args:
        x: (n,) values.
        y: (n,) values.

    Returns:
        At most (n - 1) / n; 0 where a series is constant or empty.

    Raises:
        ValueError: Other shapes.

    Source: leader-follower attentive fusion (ICCVW 2021), released code.
    """
    return _ccc(x, y, 1)


def pearson(x: ArrayLike, y: ArrayLike) -> float:
    """Pearson's correlation coefficient.

    Args:
        x: (n,) values.
        y: (n,) values.

    Returns:
        -1 to 1; 0 where a series is constant or empty.

    Raises:
        ValueError: Other shapes.
    """
    x, y = pair(x, y)
    if _degenerate(x, y):
        return 0.0
    return float(((x - x.mean()) * (y - y.mean())).mean() / (x.std() * y.std()))


def rmse(x: ArrayLike, y: ArrayLike) -> float:
    """Root of the mean squared difference.

    Args:
        x: (n,) values.
        y: (n,) values.

    Returns:
        Zero or more, in the unit of the values; NaN where there are none.

    Raises:
        ValueError: Other shapes.
    """
    x, y = pair(x, y)
    return float(np.sqrt(np.square(x - y).mean())) if x.size else math.nan


def _ccc(x: ArrayLike, y: ArrayLike, lost: int) -> float:
    """CCC; `lost` degrees of freedom of the variances only."""
    x, y = pair(x, y)
    if _degenerate(x, y):
        return 0.0
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    spread = x.var(ddof=lost) + y.var(ddof=lost) + (x.mean() - y.mean()) ** 2
    return float(2 * covariance / spread)


def _degenerate(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether a series is empty or constant; its variance, rounded, would not tell."""
    return not x.size or min(np.ptp(x), np.ptp(y)) < SMALLEST_RANGE


def pair(x: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Two series of one length in float64.

    Args:
        x: (n,) values.
        y: (n,) values.

    Raises:
        ValueError: Other shapes.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"shapes {x.shape} and {y.shape}: expected two series of one length")
    return x, y


def masked_ccc_loss(
    values: Tensor, targets: Tensor, mask: Tensor, weights: Tensor | float = 1.0
) -> Tensor:
    """1 - CCC of every dimension over all present frames together, averaged over dimensions.

    Moments are those of the population.

    Args:
        values: (B, T, D) float.
        targets: (B, T, D) float; what it holds in absent frames does not matter.
        mask: (B, T) bool, True where a frame is present and annotated.
        weights: (D,) or one weight for all.

    Returns:
        A float64 scalar, without weights from 0 to 2; where nothing is present, or the values and
        targets are constant, 1 with gradients of zero.
    """
    x, y = values[mask].double(), targets[mask].double()
    count = max(len(x), 1)
    mean_x, mean_y = x.sum(0) / count, y.sum(0) / count
    dx, dy = x - mean_x, y - mean_y
    spread = (dx.square() + dy.square()).sum(0) / count + (mean_x - mean_y).square()
    # Far below any spread that annotations have, far above its rounding noise.
    return ((1 - 2 * (dx * dy).sum(0) / count / (spread + 1e-8)) * weights).mean()


def ccc_loss(values: Tensor, targets: Tensor) -> Tensor:
    """1 - CCC over all values together.

    Args:
        values: Any shape, float.
        targets: The same shape.

    Returns:
        A scalar; 1 where the values are constant, NaN where the targets are too and equal them.

    Source: recursive joint attention (ICASSP 2023), released code: Pearson's r with 1e-8 in the
    denominator, times unbiased deviations, over unbiased variances.
    """
    x, y = values.flatten(), targets.flatten()
    dx, dy = x - x.mean(), y - y.mean()
    r = (dx * dy).sum() / (dx.square().sum().sqrt() * dy.square().sum().sqrt() + 1e-8)
    spread = x.var() + y.var() + (x.mean() - y.mean()).square()
    return 1 - 2 * r * x.std() * y.std() / spread


def ccc_window_loss(values: Tensor, targets: Tensor, weights: Tensor | float = 1.0) -> Tensor:
    """1 - CCC of every window and dimension, averaged.

    The covariance is biased and the variances are not, so that perfect agreement of windows of T
    frames gives 1 / T.

    Args:
        values: (B, T, D) float.
        targets: (B, T, D) float.
        weights: (D,) or one weight for all.

    Returns:
        A scalar.

    Source: leader-follower attentive fusion (ICCVW 2021), released code.
    """
    dx = values - values.mean(1, keepdim=True)
    dy = targets - targets.mean(1, keepdim=True)
    gap = (values.mean(1) - targets.mean(1)).square()
    spread = values.var(1) + targets.var(1) + gap + 1e-8
    ccc = 2 * (dx * dy).mean(1) / spread
    return ((1 - ccc) * weights).mean()
