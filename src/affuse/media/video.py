"""Pictures of a recording, in one pass, at the times their time stamps say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput
from affuse.media.probe import open_recording


class Frame:
    """One picture; colours are converted only when asked for.

    It keeps the decoder's buffer alive, so let go of frames that are not wanted.

    Attributes:
        time: Seconds since the beginning of the recording (the earlier of sound and pictures).
        width: Of the upright picture, in pixels.
        height: Of the upright picture, in pixels.
    """

    __slots__ = ("_picture", "_reformatter", "_stored_size", "_turns", "height", "time", "width")

    def __init__(
        self, picture: Any, time: float, stored_size: tuple[int, int], reformatter: Any
    ) -> None:
        self._picture = picture
        self._reformatter = reformatter
        self._stored_size = stored_size
        self._turns = picture.rotation // 90 % 4
        self.time = time
        self.width, self.height = stored_size if self._turns % 2 == 0 else stored_size[::-1]

    def rgb(self, max_side: int | None = None) -> NDArray[np.uint8]:
        """Convert to colours, turned upright.

        Args:
            max_side: A picture whose longer side is greater is made this size, in pixels.

        Returns:
            (H, W, 3).
        """
        width, height = self._stored_size
        factor = max(width, height) / max_side if max_side else 1.0
        if factor > 1:
            width, height = max(1, round(width / factor)), max(1, round(height / factor))
        method = "AREA" if factor > 1 else "BILINEAR"
        picture = self._reformatter.reformat(
            self._picture, width, height, "rgb24", interpolation=method
        )
        return np.ascontiguousarray(np.rot90(picture.to_ndarray(), self._turns))


def read_frames(
    path: str | Path,
    start: float | None = None,
    end: float | None = None,
    tracks: Tracks | None = None,
) -> Iterator[Frame]:
    """Decode the pictures of a recording in one pass.

    Times come from the time stamps, so variable rates and late starts are right; a picture without
    a usable one follows its predecessor at the mean frame rate. Should the size change on the way,
    all pictures come in the first one's.

    Args:
        path: The recording.
        start: Leave out pictures before this time, in seconds of the recording.
        end: Leave out pictures from this time on, in seconds of the recording.
        tracks: Which of its tracks are wanted; by default the file decides.

    Raises:
        BadInput: The file cannot be opened, has no pictures, or none that can be decoded.
    """
    with open_recording(path, tracks) as recording:
        if recording.video is None:
            raise BadInput(path, "has no pictures")
        interval = 1 / recording.frame_rate
        reformatter = VideoReformatter()  # shared, for to set one up takes longer than to use it
        time = size = None
        for picture in recording.decode(recording.video, start=(start or 0.0) - interval):
            size = size or (picture.width, picture.height)
            previous = -interval if time is None else time
            time = recording.time_of(picture)
            if time is None or time <= previous:  # stamps that repeat or go back are of no use
                time = previous + interval
            if end is not None and time >= end:
                break
            if start is None or time >= start:
                yield Frame(picture, time, size, reformatter)
