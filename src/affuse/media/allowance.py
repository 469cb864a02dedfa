"""How long working on recordings may take."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import av

from affuse.corpora.folder import PICTURES
from affuse.errors import AffuseError, BadInput

#: Seconds for anything, and per second of a recording. Faces in 1920 x 1080 take 0.5 s per second
#: on one core, the largest frozen networks several; and a machine may do ten other things.
_ANYTHING, _PER_SECOND = 60.0, 40.0
#: Bytes per second of recordings: what a file says of its length is believed within these.
_LEAST, _MOST = 250.0, 2_000_000.0
#: Where a file says nothing.
_USUAL = 16_000.0
#: Seconds that one picture counts as, for `_PER_SECOND`.
_PICTURE = 0.05
#: Environment variable with seconds that every recording may take; 0: any.
VARIABLE = "AFFUSE_TIME_LIMIT"


def time_limit(paths: Iterable[Path] = ()) -> float | None:
    """Seconds that work on some files may take on one core, which grow with their length.

    Args:
        paths: Recordings, pictures or tables; they are opened, so ask where that may be survived.

    Returns:
        Seconds; None where the user set no limit.

    Raises:
        AffuseError: `AFFUSE_TIME_LIMIT` is no number of seconds.
    """
    own = os.environ.get(VARIABLE)
    if not own:
        return _ANYTHING + _PER_SECOND * sum(map(_seconds, paths))
    try:
        seconds = float(own)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise AffuseError(f"{VARIABLE}={own}: expected seconds, or 0 for no limit")
    return seconds or None


@lru_cache(maxsize=64)  # many clips can be parts of one file
def _seconds(path: Path) -> float:
    """About how long a recording is; less than nothing can be said of a file that is none."""
    if path.suffix.lower() in PICTURES:
        return _PICTURE
    try:
        size = path.stat().st_size
    except OSError:
        return 0.0
    said = _said(path)
    usual = size / _USUAL if said is None else said
    return min(max(usual, size / _MOST), size / _LEAST)


def _said(path: Path) -> float | None:
    """The length in the header of a recording; None where it does not say, or is none."""
    from affuse.media.probe import open_recording

    try:
        with open_recording(path) as recording:
            return recording.container.duration and recording.container.duration / 1e6
    except (BadInput, av.FFmpegError, OSError):
        return None
