"""What a calibrated model does not rule out: classes, and how far values may be from the truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from affuse.metrics.conformal import not_ruled_out
from affuse.models.calibration import ModelCalibration

#: Between the classes of a set, in a cell.
BETWEEN = "|"


def classes_left(
    calibration: ModelCalibration | None,
    classes: Sequence[str],
    probabilities: np.ndarray,
    modalities: Collection[str],
) -> list[str] | None:
    """The classes that are not ruled out, the likeliest first.

    Args:
        calibration: Of the model.
        classes: C names.
        probabilities: (C,) calibrated; NaN where nothing is known.
        modalities: Those that count.

    Returns:
        None where nothing is known, or no set is promised.
    """
    threshold = None if calibration is None else calibration.threshold(modalities)
    if threshold is None or np.isnan(probabilities).any():
        return None
    left = not_ruled_out(probabilities, threshold)
    return [classes[k] for k in np.argsort(-probabilities, kind="stable") if left[k]]


def band_widths(
    calibration: ModelCalibration, dimensions: int, present: Mapping[str, np.ndarray]
) -> np.ndarray:
    """How far values are from the truth at most, as often as was wanted.

    Args:
        calibration: Of the model.
        dimensions: Number of them.
        present: Modality -> (N,) bool, whether it is present at each moment.

    Returns:
        (N, D) float64; NaN where nothing is promised.
    """
    names = list(present)
    there = np.stack([present[name] for name in names], 1).astype(bool)
    found = np.full((len(there), dimensions), np.nan)
    for row in np.unique(there, axis=0):
        own = calibration.of([name for name, x in zip(names, row, strict=True) if x])
        if own is not None:
            rows = (there == row).all(1)
            found[rows] = [np.nan if limit is None else limit for limit in own.thresholds]
    return found
