"""The stream of a corpus' own face pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.pictures import (
    RATE,
    REACH,
    end_of,
    is_close,
    moments,
    nearest,
    numbered_images,
)
from affuse.features.stream import Stream, StreamSpec
from affuse.media.timestamps import picture_times

_END_OF_JPEG = b"\xff\xd9"


class AlignedFaces:
    """`video/aligned<size>`: the face pictures that came with the corpus, RGB, 30 Hz.

    The pictures are numbered after those of the video and lie at its time stamps, or 30 per second
    where the video is not at hand. Each moment takes the picture of the video nearest in time; it
    is absent where there is no face picture of that one, or it is more than 0.1 s away.

    Args:
        size: Height and width to which the pictures are brought, in pixels.
    """

    def __init__(self, size: int) -> None:
        recipe: dict[str, Any] = {"extractor": "aligned", "size": size}
        recipe |= {"resampled": "nearest picture", "reach": REACH, "default_fps": RATE}
        self.spec = StreamSpec(f"video/aligned{size}", RATE, (size, size, 3), "uint8", recipe)

    def sources(self, clip: Clip) -> list[Path]:
        """The face pictures, and the video that tells when they are shown."""
        if clip.images is None:
            return []
        files = list(numbered_images(clip.images).values())
        return files if clip.video is None else [*files, clip.video]

    def extract(self, clip: Clip) -> Stream | None:
        """(T, size, size, 3) uint8 RGB; None where the clip has no folder of face pictures.

        Raises:
            BadInput: A picture cannot be read, is not named after a number, or has one that is
                beyond the end of the video.
        """
        if clip.images is None:
            return None
        images = numbered_images(clip.images)
        if not images:
            raise BadInput(clip.images, "holds no face picture (00001.jpg, 00002.jpg, ...)")
        times = _times(clip, images)
        wanted = moments(clip, end_of(times), clip.images)
        rows, near = nearest(times, wanted)
        values = np.zeros((len(wanted), *self.spec.shape), np.uint8)
        mask = near & np.isin(rows + 1, list(images))
        before = -1
        for k in np.flatnonzero(mask):
            repeated = rows[k] == before
            before = rows[k]
            values[k] = values[k - 1] if repeated else _read(images[before + 1], len(values[k]))
        return Stream(values, mask)


def _times(clip: Clip, images: dict[int, Path]) -> NDArray[np.float64]:
    """When each picture of the video is shown, in seconds."""
    last = max(images)
    if clip.video is None:
        return np.arange(last) / RATE
    times = picture_times(clip.video)
    if last > len(times) and not is_close(last, len(times)):
        raise BadInput(images[last], f"is picture {last}, but {clip.video} has {len(times)}")
    return times


def _read(path: Path, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) RGB."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})") from error
    if _END_OF_JPEG not in data[-64:]:  # the decoder would fill the rest with grey
        raise BadInput(path, "is not a complete JPEG picture")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise BadInput(path, "is not a picture that can be decoded")
    if picture.shape[:2] != (size, size):
        shrinks = max(picture.shape[:2]) > size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        picture = cv2.resize(picture, (size, size), interpolation=method)
    return picture.astype(np.uint8, copy=False)
