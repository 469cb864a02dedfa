"""Images of a recording, in one pass, at the times their time stamps say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput
from affuse.media.geometry import Geometry, Size
from affuse.media.probe import Recording, open_recording
from affuse.media.still import read_still, still_of

_HALVED = {"yuv420p", "yuvj420p"}  # formats whose colours have half the resolution
_BLOCK = 64  # pixels; parts of images have few different sizes
_KEPT = 64  # converters
ALIKE = 0.02
"""How much proportions may differ for an image to be stretched to the size of another."""


class Reformatters:
    """PyAV's converters of images, one for each size, for to set one up takes long."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], VideoReformatter] = {}

    def rgb(
        self, picture: Any, width: int, height: int, method: str = "BILINEAR"
    ) -> NDArray[np.uint8]:
        """An image in colours.

        Args:
            picture: A frame of PyAV.
            width: Of the result.
            height: Of the result.
            method: FFmpeg's name of the interpolation.

        Returns:
            (height, width, 3).
        """
        size = picture.width, picture.height, width, height
        if size not in self._known:
            while len(self._known) >= _KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[size] = VideoReformatter()
        converted = self._known[size].reformat(
            picture, width, height, "rgb24", interpolation=method, threads=1
        )
        return np.asarray(converted.to_ndarray(), np.uint8)


class Frame:
    """One image as it is shown: cropped, upright, with square pixels.

    Colours are converted only when asked for. It keeps the decoder's buffer alive, so let go of
    frames that are not wanted.

    Args:
        picture: A frame of PyAV.
        time: Seconds since the beginning of the recording.
        geometry: Of this image.
        size: Width and height to which it is brought; by default its own.
        reformatters: Those of the recording.

    Attributes:
        time: Seconds since the beginning of the recording (the earlier of sound and images).
        width: Of the upright image, in pixels.
        height: Of the upright image, in pixels.
    """

    __slots__ = ("_geometry", "_picture", "_reformatters", "height", "time", "width")

    def __init__(
        self,
        picture: Any,
        time: float,
        geometry: Geometry,
        size: Size | None = None,
        reformatters: Reformatters | None = None,
    ) -> None:
        self._picture = picture
        self._reformatters = reformatters or Reformatters()
        self._geometry = geometry
        self.time = time
        self.width, self.height = size or geometry.size

    def turned(self, turns: int) -> Frame:
        """The same image turned by quarter turns counter-clockwise."""
        if turns % 4 == 0:
            return self
        frame = copy(self)
        frame._geometry = self._geometry.turned(turns)
        if turns % 2:
            frame.width, frame.height = self.height, self.width
        return frame

    def changed(self, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Frame:
        """The same frame with other pixels, which are computed once they are asked for.

        Args:
            change: (height, width, 3) RGB -> the same shape and type.
        """
        frame = copy(self)
        frame._picture, frame._geometry = _Changed(self, change), Geometry(self.width, self.height)
        return frame

    @property
    def _stored(self) -> Any:
        """The frame of PyAV."""
        picture = self._picture
        return picture.computed() if isinstance(picture, _Changed) else picture

    def rgb(self, max_side: int | None = None) -> NDArray[np.uint8]:
        """Convert to colours.

        Args:
            max_side: An image whose longer side is greater is made this size, in pixels.

        Returns:
            (H, W, 3).
        """
        width, height = self.width, self.height
        factor = max(width, height) / max_side if max_side else 1.0
        if factor > 1:
            width, height = max(1, round(width / factor)), max(1, round(height / factor))
        method = "AREA" if factor > 1 else "BILINEAR"
        shown, inner = self._geometry.size, self._geometry.inner
        scale = min(width / shown[0], height / shown[1])
        alike = abs(shown[0] * height / (shown[1] * width) - 1) <= ALIKE
        if alike and not self._geometry.angle:
            inner = (height, width) if self._geometry.turns % 2 else (width, height)
        else:
            inner = max(1, round(inner[0] * scale)), max(1, round(inner[1] * scale))
        size = round(shown[0] * scale), round(shown[1] * scale)
        image = self._geometry.upright(self._cropped(inner, method), size)
        return _padded(image, width, height)

    def part(self, x1: int, y1: int, x2: int, y2: int) -> NDArray[np.uint8]:
        """A part of the image in colours, the same as that of `rgb()`.

        Args:
            x1: Its first column.
            y1: Its first row.
            x2: The column after its last one, at most `width`.
            y2: The row after its last one, at most `height`.

        Returns:
            (y2 - y1, x2 - x1, 3).
        """
        picture = self._stored
        columns, rows = _blocks(x1, x2, self.width), _blocks(y1, y2, self.height)
        plain = self._geometry == Geometry(self.width, self.height)
        if not plain or picture.format.name not in _HALVED or columns is None or rows is None:
            return self.rgb()[y1:y2, x1:x2]
        image = self._reformatters.rgb(_cut(picture, columns, rows), len(columns), len(rows))
        return image[y1 - rows.start : y2 - rows.start, x1 - columns.start : x2 - columns.start]

    def _cropped(self, inner: Size, method: str) -> NDArray[np.uint8]:
        """What is left of the stored image when it is cropped, brought to a size."""
        left, top, right, bottom = self._geometry.crop
        x = inner[0] / (self._geometry.width - left - right)
        y = inner[1] / (self._geometry.height - top - bottom)
        width, height = inner[0] + round((left + right) * x), inner[1] + round((top + bottom) * y)
        image = self._reformatters.rgb(self._stored, width, height, method)
        left, top = round(left * x), round(top * y)
        return image[top : top + inner[1], left : left + inner[0]]


class _Changed:
    """The pixels of a changed frame, which several copies of it can share."""

    def __init__(
        self, frame: Frame, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    ) -> None:
        self._todo: tuple[Frame, Any] | None = (frame, change)
        self._done: Any = None

    def computed(self) -> Any:
        """A frame of PyAV in colours."""
        if self._todo is not None:
            frame, change = self._todo
            image = np.ascontiguousarray(change(frame.rgb()))
            self._done, self._todo = av.VideoFrame.from_ndarray(image, "rgb24"), None
        return self._done


def _blocks(first: int, last: int, whole: int) -> range | None:
    """The rows or columns that whole blocks around some of them have; None if they are all."""
    size = -(-(last - first + 1) // _BLOCK) * _BLOCK
    start = min(first, whole - size) // 2 * 2
    return range(start, start + size) if start >= 0 and last <= start + size < whole else None


def _cut(picture: Any, columns: range, rows: range) -> Any:
    """A part of an image whose colours have half its resolution."""
    width, height = len(columns), len(rows)
    packed = np.empty((height * 3 // 2, width), np.uint8)
    row = 0
    for plane, part in zip(picture.planes, (1, 2, 2), strict=True):
        stored = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        x, y = columns.start // part, rows.start // part
        cut = stored[y : y + height // part, x : x + width // part]
        count = cut.size // width
        packed[row : row + count].reshape(cut.shape)[:] = cut
        row += count
    found = av.VideoFrame.from_numpy_buffer(packed, format=picture.format.name)
    found.colorspace, found.color_range = picture.colorspace, picture.color_range
    return found


def _padded(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """An image in the middle of a black one, unless it is as large."""
    if image.shape[:2] == (height, width):
        return image
    whole = np.zeros((height, width, 3), np.uint8)
    image = image[:height, :width]
    y, x = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
    whole[y : y + image.shape[0], x : x + image.shape[1]] = image
    return whole


class Framing:
    """Makes frames of the decoded images of a recording, one after the other.

    Times come from the time stamps, so variable rates and late starts are right; an image without
    a usable one follows its predecessor at the mean frame rate. Should the size change on the way,
    all frames come in the first one's, those of other proportions with black bars.

    Args:
        recording: Open, with images.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording, self._interval = recording, 1 / recording.frame_rate
        self._reformatters = Reformatters()
        self._time: float | None = None
        self._size: Size | None = None

    def frame(self, picture: Any) -> Frame:
        """The frame of a decoded image."""
        geometry = self._recording.geometry_of(picture)
        self._size = self._size or geometry.size
        previous = -self._interval if self._time is None else self._time
        time = self._recording.time_of(picture)
        if time is None or time <= previous:  # stamps that repeat or go back are of no use
            time = previous + self._interval
        self._time = time
        return Frame(picture, time, geometry, self._size, self._reformatters)


def read_frames(
    path: str | Path,
    start: float | None = None,
    end: float | None = None,
    tracks: Tracks | None = None,
) -> Iterator[Frame]:
    """Decode the frames of a recording in one pass; see `Framing`.

    Args:
        path: The recording.
        start: Leave out frames before this time, in seconds of the recording.
        end: Leave out frames from this time on, in seconds of the recording.
        tracks: Which of its tracks are wanted; by default the file decides.

    Raises:
        BadInput: The file cannot be opened, has no images, or none that can be decoded.
    """
    if still_of(path) is not None:
        frames = still_frames(path)
        yield from (f for f in frames if f.time >= (start or 0.0) and (end is None or f.time < end))
        return
    with open_recording(path, tracks) as recording:
        if recording.video is None:
            raise BadInput(path, "has no images")
        framing = Framing(recording)
        for picture in recording.decode(recording.video, start=frames_start(recording, start)):
            frame = framing.frame(picture)
            if end is not None and frame.time >= end:
                break
            if start is None or frame.time >= start:
                yield frame


def frames_start(recording: Recording, start: float | None) -> float:
    """The second from which images are decoded so that a window of them is complete."""
    return (start or 0.0) - 1 / recording.frame_rate


def still_frames(path: str | Path) -> Iterator[Frame]:
    """The frames of a file that Pillow reads."""
    size = None
    for time, picture, geometry in read_still(path):
        size = size or geometry.size
        yield Frame(picture, time, geometry, size)
