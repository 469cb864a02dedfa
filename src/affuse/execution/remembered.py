"""Results of reading a file, remembered while the file stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def remembered(
    most: int,
) -> Callable[[Callable[Concatenate[Path, P], R]], Callable[Concatenate[Path, P], R]]:
    """Make a function of a file look only once while its size and its time of change stay.

    Args:
        most: Results that are kept, the last ones.

    Returns:
        A decorator. The other arguments must be hashable; what is raised is not remembered, and
        what is no file is left to the function to tell.
    """

    def remembering(
        function: Callable[Concatenate[Path, P], R],
    ) -> Callable[Concatenate[Path, P], R]:
        def look(version: object, *args: Any, **kwargs: Any) -> R:
            return function(*args, **kwargs)

        kept: Callable[..., R] = lru_cache(most)(look)

        @wraps(function)
        def remembered(path: Path, /, *args: P.args, **kwargs: P.kwargs) -> R:
            try:
                status = path.stat()
            except (OSError, ValueError):
                return function(path, *args, **kwargs)
            version = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
            return kept(version, path, *args, **kwargs)

        return remembered

    return remembering
