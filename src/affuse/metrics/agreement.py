"""How far coders agree, beyond chance."""

from __future__ import annotations

import numpy as np

from affuse.metrics.jackknife import Metric

#: Of classes.
CLASS_AGREEMENT = {
    "agreement": Metric("share of frames with the same label"),
    "kappa": Metric("Cohen's kappa", "correlation"),
    "alpha": Metric("Krippendorff's alpha (nominal)", "correlation"),
}


def cohens_kappa(confusion: np.ndarray) -> np.ndarray:
    """Cohen's kappa (...) of two coders.

    Args:
        confusion: (..., C, C) counts, rows are the labels of the first coder.

    Returns:
        -1 to 1; NaN where there is nothing, or both use one and the same class alone.

    Source: Cohen, A coefficient of agreement for nominal scales (1960).
    """
    total = confusion.sum((-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.trace(confusion, axis1=-2, axis2=-1) / total
        expected = (confusion.sum(-1) * confusion.sum(-2)).sum(-1) / total**2
        return np.asarray(np.where(expected < 1, (observed - expected) / (1 - expected), np.nan))


def specific_agreement(confusion: np.ndarray) -> np.ndarray:
    """Agreement (..., C) on each class: 2 a / (2 a + b + c); NaN where nobody used it.

    It is how likely the other coder said the class where one of them, at random, did.

    Args:
        confusion: (..., C, C) counts.

    Source: Cicchetti & Feinstein, High agreement but low kappa: II (1990).
    """
    both = np.diagonal(confusion, axis1=-2, axis2=-1).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(2 * both / (confusion.sum(-1) + confusion.sum(-2)))


def coincidences(labels: np.ndarray, classes: int) -> np.ndarray:
    """Coincidence matrix (C, C) of any number of coders.

    Args:
        labels: (N, R) int, the class that each of R coders gave to each of N units; negative where
            there is none. Units with one label alone do not count.
        classes: C.

    Source: Krippendorff, Computing Krippendorff's alpha-reliability (2011).
    """
    votes = np.stack([(labels == k).sum(1) for k in range(classes)], 1).astype(float)
    count = votes.sum(1)
    votes, count = votes[count > 1], count[count > 1]
    weighted = votes / (count - 1)[:, None]
    return np.asarray(weighted.T @ votes - np.diag(weighted.sum(0)))


def nominal_alpha(coincidence: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha (...) of classes.

    Args:
        coincidence: (..., C, C), see `coincidences`.

    Returns:
        At most 1; NaN where there is nothing, or one class alone.
    """
    each = coincidence.sum(-1)
    n = each.sum(-1)
    differ = n - np.trace(coincidence, axis1=-2, axis2=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = (n**2 - (each**2).sum(-1)) / (n - 1)
        return np.asarray(np.where(by_chance > 0, 1 - differ / by_chance, np.nan))


def interval_sums(values: np.ndarray) -> np.ndarray:
    """What `interval_alpha` needs of values, (4,); sums of recordings add up.

    Args:
        values: (N, R) numbers of R coders; NaN where there is none. Units with one value alone do
            not count.
    """
    there = ~np.isnan(values)
    count = there.sum(1)
    rows, count = np.where(there, values, 0.0)[count > 1], count[count > 1]
    total, squares = rows.sum(1), (rows**2).sum(1)
    # the sum over all ordered pairs of a unit of their squared difference
    apart = 2 * (count * squares - total**2) / (count - 1)
    return np.array([apart.sum(), count.sum(), total.sum(), squares.sum()])


def interval_alpha(sums: np.ndarray) -> np.ndarray:
    """Krippendorff's alpha (...) of numbers on an interval scale.

    Args:
        sums: (..., 4), see `interval_sums`.

    Returns:
        At most 1; NaN where there is nothing, or all values are equal.
    """
    apart, n, total, squares = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_chance = 2 * (n * squares - total**2) / (n - 1)
        return np.asarray(np.where(by_chance > 1e-12, 1 - apart / by_chance, np.nan))
