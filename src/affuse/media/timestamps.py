"""When the images of a recording are shown, without decoding them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput
from affuse.media.contents import contents_of
from affuse.media.still import still_of
from affuse.media.video import read_frames


def picture_times(path: str | Path, tracks: Tracks | None = None) -> NDArray[np.float64]:
    """Time of every image of a recording, from the time stamps in its container.

    Damaged images count, for they have their place too. Images are decoded only where the
    container does not tell times, as a bare stream does not.

    Args:
        path: The recording.
        tracks: Which of its tracks are wanted; by default the file decides.

    Returns:
        (N,) rising seconds since the beginning of the recording, as in `read_frames`.

    Raises:
        BadInput: The file cannot be opened, or has no images.
    """
    path = Path(path)
    if (still := still_of(path)) is not None:
        return np.array(still.times)
    contents = contents_of(path, tracks)
    if contents.chosen.video is None:
        raise BadInput(path, "has no images")
    if contents.timing.video is None or not contents.complete:
        return np.array([frame.time for frame in read_frames(path, tracks=tracks)])
    return np.unique(contents.timing.video.starts)
