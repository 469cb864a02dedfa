"""When the pictures of a recording are shown, without decoding them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from affuse.errors import BadInput
from affuse.media.probe import open_recording
from affuse.media.still import still_of
from affuse.media.video import read_frames


def picture_times(path: str | Path) -> NDArray[np.float64]:
    """Time of every picture of a recording, from the time stamps in its container.

    Damaged pictures count, for they have their place too. Pictures are decoded only where the
    container does not tell times, as a bare stream does not.

    Args:
        path: The recording.

    Returns:
        (N,) rising seconds since the beginning of the recording, as in `read_frames`.

    Raises:
        BadInput: The file cannot be opened, or has no pictures.
    """
    if (still := still_of(path)) is not None:
        return np.array(still.times)
    with open_recording(path) as recording:
        if recording.video is None:
            raise BadInput(path, "has no pictures")
        stamps = _stamps(recording.container, recording.video)
        scale, origin = float(recording.video.time_base), recording.origin
    times = np.array([stamp for stamp in stamps if stamp is not None], np.float64)
    times = np.unique(times) * scale - origin
    if not len(times) or len(times) < len(stamps):
        return np.array([frame.time for frame in read_frames(path)])
    return times


def _stamps(container: Any, stream: Any) -> list[int | None]:
    """Presentation time stamps of the pictures that are shown, in the order of the file."""
    stamps = []
    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:  # an edit list hides what is to be discarded
                stamps.append(packet.pts)
    except av.FFmpegError:  # a damaged file ends here
        pass
    return stamps
