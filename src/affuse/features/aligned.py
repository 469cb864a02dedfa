"""The stream of face images: those of the corpus, or crops of its videos."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Clip
from affuse.corpora.packed import packed_picture
from affuse.errors import BadInput
from affuse.features.arrays import array_pictures
from affuse.features.blocks import BLOCK
from affuse.features.pictures import (
    RATE,
    REACH,
    end_of,
    is_close,
    moments,
    nearest,
    numbered_images,
)
from affuse.features.recorded import (
    Blocks,
    RecordingExtractor,
    decoded,
    has_pictures,
    is_photograph,
    nothing,
)
from affuse.features.stream import Stream, StreamSpec
from affuse.media.bicubic import resize_bicubic
from affuse.media.face import FaceOptions
from affuse.media.timestamps import picture_times

if TYPE_CHECKING:
    from affuse.media.face import Readings

_END_OF_JPEG = b"\xff\xd9"


#: Crops like the images that come with Aff-Wild2, in which five landmarks lie in the same places.
CROPS = FaceOptions(margin=0.0, align=True)
#: Side of those images in pixels.
PUBLISHED = 112


class AlignedFaces(RecordingExtractor):
    """`video/aligned<size>`: the face images that came with the corpus, RGB, 30 Hz.

    A clip that is one image of a file with many has that one, brought to the size. A `.npy` file
    holds the images of a clip, one per frame; black ones are absent.

    The images are numbered after those of the video and lie at its time stamps, or 30 per second
    where the video is missing. Each moment takes the image of the video that is shown then;
    it is absent where there is no face image of that one, or there is none within 0.1 s.

    Of a clip without such images they are crops of the main face of its video, turned and scaled
    so that eyes and mouth lie where they do in those of Aff-Wild2; absent where it is not seen.

    Args:
        size: Height and width to which the images are brought, in pixels.
        options: How faces are found, followed and cropped.
        bicubic: `video/aligned<size>-published`: images are resized as Pillow does it by default,
            crops from 112 x 112 pixels. Otherwise by the mean over areas, or linearly to a greater
            size, and crops are cut in their size.

    Source of the bicubic one: Zhang et al. 2021 (ABAW2), released preprocessing.
    """

    def __init__(
        self, size: int, options: FaceOptions | None = None, *, bicubic: bool = False
    ) -> None:
        self.options = options or CROPS
        self._resized = _bicubic if bicubic else _resized
        self._cut = PUBLISHED if bicubic else size
        recipe: dict[str, Any] = {"extractor": "aligned", "size": size}
        recipe |= {"resampled": "nearest picture", "reach": REACH, "default_fps": RATE}
        recipe |= {"resized": "bicubic"} if bicubic else {}
        recipe |= asdict(self.options)
        name = f"video/aligned{size}" + ("-published" if bicubic else "")
        self.spec = StreamSpec(name, RATE, (size, size, 3), "uint8", recipe)

    def sources(self, clip: Clip) -> list[Path]:
        """The face images, and the video that they come from or that tells when they are."""
        files: list[Path] = []
        if clip.images is not None:
            packed = clip.row is not None or clip.images.suffix == ".npy"
            files = [clip.images] if packed else list(numbered_images(clip.images).values())
        return files if clip.video is None else [*files, clip.video]

    def begin(self, clip: Clip, readings: Readings) -> Blocks:
        """See `RecordingExtractor`; (T, size, size, 3) uint8 RGB in parts of at most 256.

        Raises:
            BadInput: An image cannot be read, is not named after a number, or has one that is
                beyond the end of the video; or the video cannot be decoded.
        """
        if clip.images is None and clip.video is not None:
            return self._crops(clip, clip.video, readings)
        return lambda: self._given(clip)

    @property
    def cut(self) -> tuple[float, int]:
        """Seconds of the first crop of a recording, and the side in pixels in which it is cut."""
        return 0.0, self._cut

    def sized(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Crops (N, S, S, 3) in the size of the stream."""
        size = self.spec.shape[0]
        if self._cut == size or not len(crops):
            return crops.reshape(-1, *self.spec.shape)
        return np.stack([self._resized(crop, size) for crop in crops])

    def _given(self, clip: Clip) -> Iterator[Stream]:
        """What comes with the corpus."""
        if clip.images is not None and clip.row is not None:
            picture = self._resized(packed_picture(clip.images, clip.row), self.spec.shape[0])
            yield Stream(picture[None], np.ones(1, bool))
        elif clip.images is not None and clip.images.suffix == ".npy":
            yield from self._array(clip, clip.images)
        elif clip.images is not None:
            yield from self._own(clip, clip.images)

    def _own(self, clip: Clip, folder: Path) -> Iterator[Stream]:
        """The images of the corpus."""
        images = numbered_images(folder)
        if not images:
            raise BadInput(folder, "holds no face image (00001.jpg, 00002.jpg, ...)")
        times = _times(clip, images)
        wanted = moments(clip, end_of(times), folder)
        rows, near = nearest(times, wanted)
        numbers = rows + 1
        known = near & np.isin(numbers, list(images))
        before, picture = 0, np.zeros(self.spec.shape, np.uint8)
        for first in range(0, len(wanted), BLOCK):
            mask = known[first : first + BLOCK]
            values = np.zeros((len(mask), *self.spec.shape), np.uint8)
            for k in np.flatnonzero(mask):
                if (number := int(numbers[first + k])) != before:
                    before, picture = number, self._resized(_read(images[number]), len(picture))
                values[k] = picture
            yield Stream(values, mask, first / RATE)

    def _array(self, clip: Clip, path: Path) -> Iterator[Stream]:
        """The images of an array."""
        pictures, seen = array_pictures(path, clip)
        for first in range(0, len(pictures), BLOCK):
            some = pictures[first : first + BLOCK]
            sized = np.stack([self._resized(picture, self.spec.shape[0]) for picture in some])
            yield Stream(sized, seen[first : first + BLOCK], first / RATE)

    def _crops(self, clip: Clip, video: Path, readings: Readings) -> Blocks:
        """Crops of a video."""
        from affuse.media.watching import Cut

        if not has_pictures(video, clip.tracks):
            return nothing
        if is_photograph(video):
            wanted = np.zeros(1)
        else:
            wanted = moments(clip, end_of(picture_times(video, clip.tracks)), video)
        face, reading = self.options, readings.of(video)
        search = readings.face(video, face, clip.start, clip.end)
        found = search.cut(Cut(wanted, self._cut, face.margin, face.align))

        def blocks() -> Iterator[Stream]:
            if not decoded(reading):
                return
            for part, crops, present in found.blocks(search.track):
                yield Stream(self.sized(crops), present, part.start / RATE)

        return blocks


def _times(clip: Clip, images: dict[int, Path]) -> NDArray[np.float64]:
    """When each image of the video is shown, in seconds."""
    last = max(images)
    if clip.video is None:
        return np.arange(last) / RATE
    times = picture_times(clip.video, clip.tracks)
    if last > len(times) and not is_close(last, len(times)):
        raise BadInput(images[last], f"is image {last}, but {clip.video} has {len(times)}")
    return times


def _read(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) RGB."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(path, f"cannot be read ({error.strerror})") from error
    if _END_OF_JPEG not in data[-64:]:  # the decoder would fill the rest with grey
        raise BadInput(path, "is not a complete JPEG image")
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise BadInput(path, "is not an image that can be decoded")
    return np.asarray(picture, np.uint8)


def _resized(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(H, W, 3) -> (size, size, 3)."""
    if picture.shape[:2] != (size, size):
        shrinks = max(picture.shape[:2]) > size
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, (size, size), interpolation=method), np.uint8)
    return picture


def _bicubic(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The same as published."""
    return resize_bicubic(picture, size, size)
