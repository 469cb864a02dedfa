"""Memory that is freed and needed again at once, as batches are."""

from __future__ import annotations

import ctypes
import sys

#: Parameters of glibc's `mallopt`, and the values that they get: memory that is freed goes back to
#: the system only at the end of the process, up to a gigabyte at a time.
_TRIM, _MMAP = -1, -3
_NEVER, _LARGE = 2**31 - 1, 2**30


def keep_freed() -> None:
    """Let this process keep what it frees, for its next batch, where the C library is glibc.

    By default every large array comes from the system, page by page, filled with zeros, which takes
    longer than what is computed with it: docs/results/speed.md.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP, _LARGE)
        mallopt(_TRIM, _NEVER)
