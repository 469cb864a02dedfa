"""Rows that depend on the sound around them only, computed while the sound comes by."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from affuse.execution.spool import Spool
from affuse.features.stream import StreamSpec
from affuse.media.channels import Samples

#: Rows of a section where it does not matter, and of a block.
ROWS = 4096


class Sections:
    """Computes rows section by section, each with the sound around it.

    Args:
        rows: Samples (N,) -> (T, ...), row i about the sound around sample i * hop.
        spec: Of the rows.
        hop: Samples from row to row.
        context: Rows before and after a section whose sound its own rows may depend on.
        size: Rows of a section, which are computed when they are there; of 0 `flush` does it.
    """

    def __init__(
        self,
        rows: Callable[[Samples], np.ndarray],
        spec: StreamSpec,
        hop: int,
        context: int,
        size: int = ROWS,
    ) -> None:
        self._rows, self._hop, self._context, self._size = rows, hop, context, size
        self._spool = Spool(spec.shape, spec.dtype)
        self._held: list[Samples] = []
        self._count = 0  # samples that are held
        self._lead = 0  # rows that are held before the section

    def __len__(self) -> int:
        return len(self._spool)

    def push(self, samples: Samples) -> None:
        """Take samples (N,), one part after the other."""
        self._held.append(samples)
        self._count += len(samples)
        while self._size and self._count >= (self._lead + self._size + self._context) * self._hop:
            audio = np.concatenate(self._held)
            own = self._lead + self._size
            computed = self._rows(audio[: (own + self._context) * self._hop])
            self._spool.append(computed[self._lead : own])
            gone = max(own - self._context, 0)
            audio = audio[gone * self._hop :]
            self._held, self._count, self._lead = [audio], len(audio), own - gone

    def finish(self) -> None:
        """The last samples have come."""
        if self._count:
            self._spool.append(self._rows(np.concatenate(self._held))[self._lead :])
        self._held, self._count = [], 0

    def taken(self) -> np.ndarray:
        """The rows of the sections since the last call, which are kept no longer."""
        rows = self._spool.read(0, len(self._spool))
        self._spool = Spool(self._spool.shape, self._spool.dtype.name)
        return rows

    def there(self, ahead: int) -> int:
        """How many rows `flush` would give."""
        return max(0, self._count // self._hop - ahead - self._lead)

    def flush(self, ahead: int) -> np.ndarray:
        """The rows that are not given yet and whose sound is there, instead of a section.

        Args:
            ahead: Rows after a row whose sound it depends on, at most `context`.
        """
        own = self._lead + self.there(ahead)
        if own == self._lead:
            return np.zeros((0, *self._spool.shape), self._spool.dtype)
        audio = np.concatenate(self._held)
        computed = self._rows(audio)[self._lead : own]
        gone = max(own - self._context, 0)
        audio = audio[gone * self._hop :]
        self._held, self._count, self._lead = [audio], len(audio), own - gone
        return computed

    def rest(self) -> np.ndarray:
        """The rows that are not given yet when the last samples have come."""
        if not self._count:
            return np.zeros((0, *self._spool.shape), self._spool.dtype)
        return self._rows(np.concatenate(self._held))[self._lead :]

    def blocks(self) -> Iterator[np.ndarray]:
        """The rows, a block after the other."""
        for first in range(0, len(self._spool), ROWS):
            yield self._spool.read(first, first + ROWS)
