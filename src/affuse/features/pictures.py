"""What is numbered after the images of a video, brought to 30 Hz by their time stamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.extractor import check_length
from affuse.media.counts import HOLE
from affuse.media.shown import HELD, usual_interval

#: Rate in Hz of the streams, and of images whose video is missing.
RATE = 30.0
#: Seconds from a moment beyond which nothing can stand for it.
REACH = 0.1


def numbered_images(folder: Path) -> dict[int, Path]:
    """Number of the image, from 1 -> its file, in this order.

    Raises:
        BadInput: There is no such folder, or a `.jpg` in it has another name.
    """
    if not folder.is_dir():
        raise BadInput(folder, "no such folder of face images")
    files: dict[int, Path] = {}
    for path in sorted(folder.glob("*.jpg")):
        if path.name.startswith("."):
            continue
        number = int(path.stem) if path.stem.isascii() and path.stem.isdecimal() else 0
        if number < 1:
            raise BadInput(path, "is not named after the number of an image, such as 00012.jpg")
        if number in files:
            raise BadInput(path, f"is image {number}, as {files[number].name} is")
        files[number] = path
    return dict(sorted(files.items()))


def is_close(count: int, pictures: int) -> bool:
    """Whether a number of rows can belong to a video: within 5 images or 1 % of it."""
    return abs(count - pictures) <= max(5, 0.01 * pictures)


def end_of(times: NDArray[np.float64]) -> float:
    """When the last image ends, in seconds: it lasts as long as most of the others."""
    return float(times[-1] + (np.median(np.diff(times)) if len(times) > 1 else 1 / RATE))


def moments(clip: Clip, end: float, path: Path) -> NDArray[np.float64]:
    """Moments of a clip at `RATE`, in seconds of the recording, all of them before its end.

    Args:
        clip: Says where it starts, and where it ends if not with the recording.
        end: Of the recording in seconds.
        path: What an error is about.

    Raises:
        TooShort: Too little of the recording belongs to the clip.
    """
    seconds = (end if clip.end is None else min(clip.end, end)) - clip.start
    check_length(path, seconds, "its video")
    return clip.start + np.arange(int(np.ceil(seconds * RATE - 1e-6))) / RATE


def nearest(
    times: NDArray[np.float64], wanted: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The image that stands for each moment, and whether there is one.

    It is the nearest (the earlier of two) within `REACH`. Where two are further apart than to
    reach each other the earlier one is held: it stands until half a usual interval before the
    next, for a minute at most.

    Args:
        times: (N,) rising seconds at which images begin, N at least 1.
        wanted: (M,) seconds.

    Returns:
        (M,) indices into `times` and (M,) bool.
    """
    after = np.searchsorted(times, wanted).clip(0, len(times) - 1)
    before = (after - 1).clip(0)
    rows = np.where(wanted - times[before] <= times[after] - wanted + 1e-6, before, after)
    usual = usual_interval(times, 1 / RATE)
    # of two images that are so far apart that neither would do, the earlier one is held
    late = times[after] - usual / 2
    apart = times[after] - times[before] > max(HELD * usual, 2 * REACH) + 1e-6
    held = (times[before] <= wanted) & apart
    rows = np.where(held, np.where(wanted < late, before, after), rows)
    near = np.abs(times[rows] - wanted) <= REACH + 1e-6
    return rows, near | held & (wanted < np.minimum(late, times[before] + HOLE))
