"""When something is said about a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affuse.features.pictures import end_of
from affuse.features.stream import TARGET_RATE
from affuse.media.probe import MediaInfo
from affuse.media.timestamps import picture_times
from affuse.tasks.presence import NEAR


@dataclass(frozen=True)
class Moments:
    """The length of a recording, and the rows of a prediction.

    Args:
        duration: Seconds.
        times: (N,) seconds of the rows, of tasks with outputs for every frame.
        shown: (N,) bool, at which of them an image is shown.
        info: The recording.
    """

    duration: float
    times: np.ndarray
    shown: np.ndarray
    info: MediaInfo


def window_moments(info: MediaInfo) -> Moments:
    """Of a task with one answer per window: the windows alone say when."""
    return Moments(info.duration, np.zeros(0), np.zeros(0, bool), info)


def frame_moments(info: MediaInfo) -> Moments:
    """The time stamps of the images, and `TARGET_RATE` per second of sound alone."""
    if info.has_video:
        times = picture_times(info.path, info.tracks)
        duration = max(info.duration, end_of(times))
    else:
        times, duration = _regular(0.0, info.duration), info.duration
    shown = np.ones(len(times), bool)
    if info.has_video and info.has_audio:
        before = _regular(0.0, times[0]) if times[0] > NEAR else np.zeros(0)
        after = _regular(end_of(times), duration)
        after = after if duration - end_of(times) > NEAR else np.zeros(0)
        shown = np.pad(shown, (len(before), len(after)))
        times = np.concatenate([before, times, after])
    return Moments(duration, times, shown, info)


def _regular(start: float, end: float) -> np.ndarray:
    """(N,) seconds from a start on and before an end, at `TARGET_RATE`."""
    return start + np.arange(int(np.ceil((end - start) * TARGET_RATE - 1e-6))) / TARGET_RATE
