"""Agreement of series that arrive in parts, from their moments alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Variance below which a series counts as constant, and agrees with nothing.
_SMALLEST = 1e-14


class RunningAgreement:
    """CCC, Pearson's correlation and RMSE of every dimension; memory does not grow.

    Args:
        names: Of the D dimensions.

    Source: Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing
    sample variances (1979).
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._count = 0
        self._means = np.zeros((2, len(names)))
        self._squares = np.zeros((3, len(names)))  # about the means: of x, of y, and of both

    def add(self, predicted: np.ndarray, true: np.ndarray) -> None:
        """Count further values.

        Args:
            predicted: (N, D).
            true: (N, D).
        """
        if not len(true):
            return
        part = np.stack([predicted, true]).astype(np.float64)
        means = part.mean(1)
        x, y = part - means[:, None]
        count = self._count + len(true)
        gap = means - self._means
        between = np.stack([gap[0] ** 2, gap[1] ** 2, gap[0] * gap[1]])
        inside = np.stack([(x * x).sum(0), (y * y).sum(0), (x * y).sum(0)])
        self._squares += inside + between * self._count * len(true) / count
        self._means += gap * len(true) / count
        self._count = count

    def scores(self) -> dict[str, float]:
        """`ccc`, `pcc` and `rmse` with their means over dimensions, and `ccc_<name>` and so on."""
        var_x, var_y, both = self._squares / max(self._count, 1)
        gap = np.square(self._means[0] - self._means[1])
        varies = np.minimum(var_x, var_y) > _SMALLEST
        each = {
            "ccc": np.where(varies, 2 * both / np.where(varies, var_x + var_y + gap, 1), 0),
            "pcc": np.where(varies, both / np.where(varies, np.sqrt(var_x * var_y), 1), 0),
            "rmse": np.sqrt(np.maximum(var_x + var_y - 2 * both + gap, 0)),
        }
        return named_scores(each, self.names)


def named_scores(each: dict[str, np.ndarray], names: Sequence[str]) -> dict[str, float]:
    """Metric -> (D,) values as one entry for their mean and one per dimension."""
    found: dict[str, float] = {}
    for metric, values in each.items():
        found[metric] = float(np.mean(values))
        found |= {f"{metric}_{name}": float(x) for name, x in zip(names, values, strict=True)}
    return found
