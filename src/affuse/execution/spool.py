"""Rows of an array that come one after the other, and may be more than memory holds."""

from __future__ import annotations

from collections.abc import Sequence
from tempfile import SpooledTemporaryFile

import numpy as np
from numpy.typing import NDArray

MEMORY = 1 << 22
"""Bytes that are kept in memory; more go to a temporary file, which has no name."""


class Spool:
    """Keeps rows until they are wanted.

    Args:
        shape: Of a row.
        dtype: Of its values.
    """

    def __init__(self, shape: Sequence[int], dtype: str) -> None:
        self.shape, self.dtype = tuple(shape), np.dtype(dtype)
        self._size = int(np.prod(self.shape)) * self.dtype.itemsize
        self._file = SpooledTemporaryFile(MEMORY)  # noqa: SIM115 - it lives as long as this does
        self._rows = 0

    def __len__(self) -> int:
        return self._rows

    def append(self, rows: NDArray[np.generic]) -> None:
        """Add rows (N, ...) at the end."""
        self._file.seek(self._rows * self._size)
        self._file.write(np.ascontiguousarray(rows, self.dtype).tobytes())
        self._rows += len(rows)

    def read(self, first: int, last: int) -> NDArray[np.generic]:
        """The rows from one number up to another, a copy of them."""
        self._file.seek(first * self._size)
        data = self._file.read((min(last, self._rows) - first) * self._size)
        return np.frombuffer(bytearray(data), self.dtype).reshape(-1, *self.shape)
