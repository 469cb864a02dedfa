"""How long working on recordings may take."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from affuse.corpora.folder import PICTURES
from affuse.errors import AffuseError, BadInput
from affuse.media.contents import contents_of

#: Seconds for anything, and per second of a recording. Faces in 1920 x 1080 take 0.5 s per second
#: on one core, the largest frozen networks several; and a machine may do ten other things.
_ANYTHING, _PER_SECOND = 60.0, 40.0
#: Bytes per second of recordings: the length that is found in a file is believed within these.
_LEAST, _MOST = 250.0, 2_000_000.0
#: Seconds that one image counts as, for `_PER_SECOND`.
_PICTURE = 0.05
#: Environment variable with seconds that every recording may take; 0: any.
VARIABLE = "AFFUSE_TIME_LIMIT"


def time_limit(paths: Iterable[Path] = (), times: float = 1.0) -> float | None:
    """Seconds that work on some files may take on one core, which grow with their length.

    Args:
        paths: Recordings, images or tables; they are opened, so ask where that may be survived.
        times: How many times as much work it is as usual; a limit that the user set stays.

    Returns:
        Seconds; None where the user set no limit.

    Raises:
        AffuseError: `AFFUSE_TIME_LIMIT` is no number of seconds.
    """
    own = os.environ.get(VARIABLE)
    if not own:
        return times * (_ANYTHING + _PER_SECOND * sum(map(_seconds, paths)))
    try:
        seconds = float(own)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise AffuseError(f"{VARIABLE}={own}: expected seconds, or 0 for no limit")
    return seconds or None


@lru_cache(maxsize=64)  # many clips can be parts of one file
def _seconds(path: Path) -> float:
    """About how long a recording is."""
    if path.suffix.lower() in PICTURES:
        return _PICTURE
    try:
        size = path.stat().st_size
    except OSError:
        return 0.0
    try:
        length = contents_of(path).duration
    except (BadInput, OSError):
        length = 0.0
    return min(max(length, size / _MOST), size / _LEAST)
