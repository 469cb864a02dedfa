"""The published weights of MTCNN, as arrays; importing this imports no torch."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from affuse.errors import AffuseError


def mtcnn_weights(name: str, count: int) -> list[np.ndarray]:
    """The weights of one network, in the order of its layers.

    Args:
        name: `pnet`, `rnet` or `onet`.
        count: How many arrays there have to be.

    Returns:
        Kernels (out, in, height, width), matrices (out, in) and vectors, float32.

    Raises:
        AffuseError: The `mtcnn` package is not installed, or its weights have another layout.
    """
    import joblib

    # found without importing it: the package itself needs TensorFlow
    package = importlib.util.find_spec("mtcnn")
    if package is None or package.origin is None:
        raise AffuseError(
            "MTCNN needs the weights in the Python package 'mtcnn' (pip install mtcnn)"
        )
    arrays = joblib.load(Path(package.origin).parent / "assets" / "weights" / f"{name}.lz4")
    if len(arrays) != count:
        raise AffuseError(f"the installed package 'mtcnn' has an unknown layout of {name}")
    return [_row_major(array) for array in arrays]


def _row_major(array: np.ndarray) -> np.ndarray:
    if array.ndim == 4:  # height, width, in, out
        return np.ascontiguousarray(array.transpose(3, 2, 0, 1))
    return np.ascontiguousarray(array.T) if array.ndim == 2 else array
