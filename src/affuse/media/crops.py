"""Cut a face out of the images of a recording."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.media.shown import Showing
from affuse.media.tracks import Floats
from affuse.media.video import Frame

ALIGNED_LANDMARKS = np.array(
    [[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]]
)
"""Where five landmarks come to lie in an aligned crop of 112 by 112 pixels (Deng et al. 2019)."""

Images = NDArray[np.uint8]


class Picture(Protocol):
    """What faces are cut out of: a `Frame`, or an image."""

    @property
    def width(self) -> int:
        """In pixels."""
        ...

    @property
    def height(self) -> int:
        """In pixels."""
        ...

    def part(self, x1: int, y1: int, x2: int, y2: int) -> Images:
        """See `Frame.part`."""
        ...


class Standing:
    """Finds the frame that stands for each of some times, while frames come by.

    It is the nearest, if it is shown then or is at most 1.5 usual intervals away.

    Args:
        shown: When frames are shown.
        times: (N,) seconds of the recording, not falling.

    Attributes:
        start: The second from which frames are wanted.
        end: The second until which they are.
    """

    def __init__(self, shown: Showing, times: NDArray[np.floating]) -> None:
        self._shown, self._times = shown, np.asarray(times, np.float64)
        first, last = (float(x) for x in self._times[[0, -1]]) if len(times) else (0.0, 0.0)
        self.start = min(shown.begin(first), first - shown.reach)
        self.end = last + shown.reach
        self._next = 0
        self._previous: Frame | None = None

    def push(self, frame: Frame | None) -> tuple[Frame, float, NDArray[np.intp]] | None:
        """Take the next frame; None after the last one.

        Returns:
            The frame before it, if it stands for some of the times; the time at which a face in it
            is looked up, which is its own, or the first of the times when it is held from before;
            and the numbers of the times.
        """
        previous, self._previous = self._previous, frame
        if previous is None or not len(self._times):
            return None
        since, until = self._shown.stands(previous.time)
        stop = len(self._times) if frame is None else self._stop(previous, frame)
        here = self._times[self._next : stop]
        rows = self._next + np.flatnonzero((since - 1e-9 <= here) & (here <= until + 1e-9))
        self._next = stop
        if not len(rows):
            return None
        held = self._shown.is_held(previous.time)
        moment = max(previous.time, float(self._times[0])) if held else previous.time
        return previous, moment, rows

    def _stop(self, previous: Frame, frame: Frame) -> int:
        """The first of the times for which the next frame stands rather than the one before."""
        shown = self._shown
        until, since = shown.stands(previous.time)[1], shown.stands(frame.time)[0]
        change = (previous.time + frame.time) / 2
        if since <= until + 1e-6:  # else there is a hole between them
            change = min(max(change, since), until)
        return int(np.searchsorted(self._times, change))


def cut_out(
    frame: Picture, box: Floats, landmarks: Floats | None, size: int, margin: float, align: bool
) -> Images:
    """A face, cut out of a frame.

    A crop is a square around the box, as large as the longer side of the box and `margin` more. It
    is moved, or else made smaller, to lie inside the frame, so nothing is distorted or made up.

    Args:
        frame: The frame.
        box: (4,) x1, y1, x2, y2 in pixels.
        landmarks: (5, 2) x, y in pixels, or None.
        size: Side of the crop in pixels.
        margin: Part of the longer side of the box by which the square is larger.
        align: Turn, scale and shift so that the landmarks come to lie in the same places; the
            margin then enlarges what is seen around them.

    Returns:
        (size, size, 3) RGB.

    Raises:
        ValueError: Alignment, but no landmarks.
    """
    if not align:
        return _square(frame, box, size, margin)
    if landmarks is None:
        raise ValueError("this face detector finds no landmarks")
    return _aligned(frame, landmarks, size, margin)


def place_of_crop(
    width: int,
    height: int,
    box: Floats,
    landmarks: Floats | None,
    margin: float,
    align: bool,
) -> tuple[complex, complex]:
    """Where `cut_out` takes a crop from.

    Args:
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        box: (4,) x1, y1, x2, y2 in pixels.
        landmarks: (5, 2) x, y in pixels, or None.
        margin: As `cut_out` takes it.
        align: As `cut_out` takes it.

    Returns:
        Two numbers x + iy in pixels of the frame: the upper left corner of the crop, and its upper
        side, as the way from there to the upper right corner.

    Raises:
        ValueError: Alignment, but no landmarks.
    """
    if not align:
        x, y, side = _square_of(width, height, box, margin)
        return complex(x, y), complex(side)
    if landmarks is None:
        raise ValueError("this face detector finds no landmarks")
    turn, shift = _similarity(landmarks, 1, margin)
    return -shift / turn, 1 / turn


def _square(frame: Picture, box: Floats, size: int, margin: float) -> Images:
    x, y, side = _square_of(frame.width, frame.height, box, margin)
    return _resized(frame.part(x, y, x + side, y + side), size)


def _square_of(width: int, height: int, box: Floats, margin: float) -> tuple[int, int, int]:
    """Left and upper edge and side of a square around a box, in pixels."""
    longer = max(box[2] - box[0], box[3] - box[1]) * (1 + margin)
    side = int(np.clip(round(longer), 1, min(height, width)))
    x = int(np.clip(round((box[0] + box[2] - side) / 2), 0, width - side))
    y = int(np.clip(round((box[1] + box[3] - side) / 2), 0, height - side))
    return x, y, side


def _resized(image: cv2.typing.MatLike, size: int) -> Images:
    method = cv2.INTER_AREA if image.shape[0] > size else cv2.INTER_LINEAR
    return cv2.resize(image, (size, size), interpolation=method).astype(np.uint8, copy=False)


def _similarity(points: Floats, size: int, margin: float) -> tuple[complex, complex]:
    """What maps landmarks (5, 2) best onto the template: z -> turn * z + shift."""
    target, centre = _template(size, margin)
    # least squares over complex numbers: turning and scaling are one multiplication
    z = [complex(x, y) for x, y in points.tolist()]
    middle = sum(z) / len(z)
    apart = [point - middle for point in z]
    spread = sum(abs(point) ** 2 for point in apart) or 1e-9
    turn = sum(p.conjugate() * w for p, w in zip(apart, target, strict=True)) / spread
    return turn, centre - turn * middle


def _aligned(frame: Picture, points: Floats, size: int, margin: float) -> Images:
    """The similarity transform that maps landmarks (5, 2) best onto the template, applied."""
    turn, shift = _similarity(points, size, margin)
    # what the corners come from, and some pixels around it for the interpolation
    corners = [(corner * size - shift) / turn for corner in (0, 1, 1j, 1 + 1j)]
    # a strong reduction by bilinear interpolation would skip pixels: average before and after
    reduction = min(max(math.ceil(1 / max(abs(turn), 1e-3)), 1), 8)
    before = max(1, reduction // 2)
    fine = -(-reduction // before)
    x1, x2 = _reach([corner.real for corner in corners], frame.width, 2 * before)
    y1, y2 = _reach([corner.imag for corner in corners], frame.height, 2 * before)
    image = _averaged(frame.part(x1, y1, x2, y2), before)
    # from centres of pixels to centres of pixels, which lie half a pixel after their corners
    half = 0.5 + 0.5j
    shift += turn * (complex(x1, y1) - half) + half
    turn, shift = turn * before * fine, (shift + turn * before * half) * fine - half
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    wide = (size * fine, size * fine)
    warped = cv2.warpAffine(
        image, matrix, wide, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return _resized(warped, size)


def _averaged(image: Images, side: int) -> Images:
    """The means of squares of pixels; what does not fill one is left out."""
    height, width = image.shape[0] // side, image.shape[1] // side
    if side == 1 or not height or not width:
        return image
    whole = image[: height * side, : width * side]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


@lru_cache(maxsize=16)
def _template(size: int, margin: float) -> tuple[list[complex], complex]:
    """Where landmarks come to lie in a crop, from their middle, and the middle."""
    target = size / 2 + (ALIGNED_LANDMARKS / 112 - 0.5) * size / (1 + margin)
    points = [complex(x, y) for x, y in target.tolist()]
    middle = sum(points) / len(points)
    return [point - middle for point in points], middle


def _reach(edges: list[float], length: int, around: int) -> tuple[int, int]:
    """The pixels of a side that are needed: the first, and that after the last."""
    first = min(max(math.floor(min(edges)) - around, 0), length - 1)
    return first, min(max(math.ceil(max(edges)) + around + 1, first + 1), length)
