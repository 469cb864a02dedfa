"""For how long each image of a recording is shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.execution.remembered import remembered
from affuse.media.contents import contents_of
from affuse.media.counts import HOLE
from affuse.media.still import still_of
from affuse.media.timestamps import picture_times

REACH = 1.5
"""Usual intervals within which the nearest image stands for a moment."""

HELD = 2 * REACH
"""Usual intervals from one image to the next from which the earlier one is held."""

_SELDOM = 0.2  # seconds; images that come less often than this are held, each until the next
_SAME = 1e-4  # seconds between times that are one


def usual_interval(times: NDArray[np.floating], otherwise: float) -> float:
    """Seconds from image to image, by most of them.

    Args:
        times: (N,) rising seconds.
        otherwise: The interval of fewer than two images; also an average, used when most
            images agree with it to a tenth.
    """
    median = float(np.median(np.diff(times))) if len(times) > 1 else otherwise
    return min(_SELDOM, otherwise if abs(median - otherwise) <= median / 10 else median)


@dataclass(frozen=True)
class Showing:
    """When the images of a recording are shown.

    Attributes:
        times: (N,) seconds, rising: when each begins, whether or not it can be decoded.
        usual: Seconds from image to image, by most of them.
        last: Seconds for which the last one is shown.
    """

    times: NDArray[np.float64]
    usual: float
    last: float

    @property
    def reach(self) -> float:
        """Seconds from an image within which it can stand for a moment."""
        return REACH * self.usual

    def until(self, time: float) -> float:
        """When the image that begins at `time` gives way: to the next, or to none."""
        following = int(np.searchsorted(self.times, time + _SAME, "right"))
        there = following < len(self.times)
        seconds = self.times[following] - time if there else max(self.last, self.usual)
        return time + min(float(seconds), HOLE)

    def is_held(self, time: float) -> bool:
        """Whether the image that begins at `time` is shown for longer than usual."""
        last = time >= self.times[-1] - _SAME
        return self.until(time) - time > (REACH if last else HELD) * self.usual + 1e-6

    def begin(self, time: float) -> float:
        """A moment before the image that is held at `time`; `time` itself when none is."""
        before = int(np.searchsorted(self.times, time, "right")) - 1
        if before < 0:
            return time
        began = float(self.times[before])
        return began - _SAME if self.is_held(began) and self.until(began) > time else time

    def stands(self, time: float) -> tuple[float, float]:
        """From when to when the image that begins at `time` can stand for a moment, in seconds.

        That is within `reach`; but a held image stands until half a usual interval before it
        gives way to another one.
        """
        before = int(np.searchsorted(self.times, time - _SAME)) - 1
        follows_held = before >= 0 and self.is_held(float(self.times[before]))
        first = time - (self.usual / 2 if follows_held else self.reach)
        if not self.is_held(time):
            return first, time + self.reach
        half = self.usual / 2 if time >= self.times[-1] - _SAME else -self.usual / 2
        return first, self.until(time) + half


def showing(path: str | Path, tracks: Tracks | None = None) -> Showing:
    """When the images of a recording are shown, by its container.

    Args:
        path: The recording.
        tracks: Which of its tracks are wanted; by default the file decides.

    Raises:
        BadInput: The file cannot be opened, or has no images.
    """
    return _showing(Path(path), tracks)


@remembered(16)  # several streams are cut out of one recording
def _showing(path: Path, tracks: Tracks | None) -> Showing:
    times = picture_times(path, tracks)
    if (still := still_of(path)) is not None:
        mean, last = still.duration / len(times), still.duration - still.times[-1]
        return Showing(times, usual_interval(times, mean), last)
    contents = contents_of(path, tracks)
    usual = usual_interval(times, 1 / contents.frame_rate)
    track = contents.timing.video
    return Showing(times, usual, 0.0 if track is None else track.end - float(times[-1]))
