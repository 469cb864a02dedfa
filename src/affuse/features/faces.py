"""Streams of face crops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip
from affuse.features.extractor import check_length
from affuse.features.pictures import end_of
from affuse.features.recorded import (
    Blocks,
    RecordingExtractor,
    decoded,
    duration_of,
    has_pictures,
    is_photograph,
    nothing,
)
from affuse.features.stream import Stream, StreamSpec
from affuse.media.face import FaceOptions

if TYPE_CHECKING:
    from affuse.media.face import Readings

#: Seconds of the clips of Chumachenko et al. 2022, who sample 15 images of them.
SPAN = 3.6
RATE = 15 / SPAN


class Faces(RecordingExtractor):
    """`video/faces<size>`: RGB crops of the main face of the clip at 4.17 Hz.

    Crops are taken by timestamp in the middle of each 0.24 s; where the face is not seen, the
    image is zero and the mask False. A still image gives one crop.

    Args:
        size: Height and width of the crops in pixels.
        options: How faces are found, followed and cropped.
    """

    def __init__(self, size: int, options: FaceOptions | None = None) -> None:
        self.options = options or FaceOptions()
        recipe = {"extractor": "faces", "size": size, **asdict(self.options)}
        self.spec = StreamSpec(f"video/faces{size}", RATE, (size, size, 3), "uint8", recipe)

    @property
    def cut(self) -> tuple[float, int]:
        """Seconds of the first crop of a recording, and the side in pixels in which it is cut."""
        return 0.5 / RATE, self.spec.shape[0]

    def sized(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crops (N, S, S, 3) in the size of the stream, which they have."""
        return crops

    def sources(self, clip: Clip) -> list[Path]:
        """The file with the images."""
        return [] if clip.video is None else [clip.video]

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`; (T, size, size, 3) uint8 RGB."""
        from affuse.media.timestamps import picture_times
        from affuse.media.watching import Cut

        video = clip.video
        if video is None or not has_pictures(video, clip.tracks):
            return nothing
        still = is_photograph(video)
        duration = duration_of(video, clip.tracks)
        end = duration if clip.end is None else min(clip.end, duration)
        if not still:
            seen = min(end, end_of(picture_times(video, clip.tracks)))
            check_length(video, seen - clip.start, "its video")
        count = 1 if still else int((end - clip.start) * RATE + 0.5)
        start = 0.0 if still else 0.5 / RATE
        times = clip.start + start + np.arange(count) / RATE
        reading, search = (
            readings.of(video),
            readings.face(video, self.options, clip.start, clip.end),
        )
        face = self.options
        found = search.cut(Cut(times, self.spec.shape[0], face.margin, face.align))

        def blocks() -> Iterator[Stream]:
            if decoded(reading):
                for part, crops, present in found.blocks(search.track):
                    yield Stream(crops, present, start + part.start / RATE)

        return blocks
