"""Losses from the concordance correlation coefficient (CCC), as two published systems train."""

from __future__ import annotations

from torch import Tensor


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
