"""Runs a comparison and says what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from affuse.verification.bench.comparison import Bench

#: What is measured -> the module with `compare` and `grow`.
COMPARISONS = {
    "prepare": "preparing",
    "train": "training",
    "predict": "predicting",
    "store": "storing",
}


def measure(
    what: str,
    clips: Sequence[int],
    *,
    repeats: int = 3,
    threads: int = 1,
    seconds: float = 3.6,
    size: tuple[int, int] = (1280, 720),
    limit: float | None = None,
    loop: Callable[..., Iterable[Any]] = lambda runs, label, total: runs,
) -> dict[str, Any]:
    """Measure affuse beside the plain way.

    Args:
        what: A key of `COMPARISONS`.
        clips: Numbers of clips, each of which is measured.
        repeats: Runs of each side, in turns.
        threads: Of each process.
        seconds: Length of a generated recording.
        size: Width and height of its images in pixels.
        limit: Seconds that one run may take of those that show how cost grows; None for none of
            these.
        loop: Wraps loops over runs: called with them, a label and the total.

    Returns:
        What `Bench.result` says, and which sides are `ours` and `plain`.

    Raises:
        AffuseError: A side failed.
    """
    module = import_module(f"affuse.verification.bench.{COMPARISONS[what]}")
    with tempfile.TemporaryDirectory(prefix="affuse-bench-") as folder:
        bench = Bench(what, Path(folder), repeats, threads, seconds, size, loop)
        for count in clips:
            module.compare(bench, count)
        if limit is not None:
            module.grow(bench, limit)
        return {**bench.result(), "ours": module.OURS, "plain": module.PLAIN}
