"""Recordings whose images and sound are arrays in memory, read as files are."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from numbers import Real
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.clip import Tracks
from affuse.errors import BadInput
from affuse.media.container import MAX_PIXELS, RATES
from affuse.media.counts import INTERVAL, Stamps
from affuse.media.timing import Timing, place

#: Seconds of the clock of frames.
TICK = Fraction(1, 1_000_000_000)
#: Samples of a frame of sound, as many as in one of AAC.
_BLOCK = 1024
#: Types of samples -> PyAV's name of their format.
_SAMPLES = {"int16": "s16p", "int32": "s32p", "float32": "fltp", "float64": "dblp"}
_NAMES = {1: "mono", 2: "stereo"}


@dataclass(frozen=True, eq=False)
class InMemory:
    """A recording whose images and sound are arrays.

    It is read as a file is: time 0 is where the earlier of images and sound begins, and one image
    without sound is a single image. The arrays are not copied; nothing may write to them meanwhile.

    Args:
        images: (N, H, W, 3) uint8, RGB and upright; None without images. OpenCV has BGR: give
            `images[..., ::-1]`. A `numpy.memmap` is read image by image.
        times: (N,) seconds at which the images are shown, rising. Each is shown until the next one.
        sound: (samples,) or (channels, samples), -1 to 1 of float32 or float64, or int16 or int32;
            None without sound.
        rate: Samples per second of the sound, in Hz.
        sound_start: Seconds at which the sound begins, on the clock of `times`.
        name: What it is called in messages, results and files.

    Raises:
        BadInput: An array has another shape or type, times do not rise, or a number is not finite.

    Examples:
        Two seconds of a tone, without images:

        >>> import numpy as np
        >>> tone = 0.1 * np.sin(2 * np.pi * 220 * np.arange(32000) / 16000)
        >>> InMemory(sound=tone.astype(np.float32), rate=16000, name="tone")
        InMemory('tone', 2.00 s of sound)
    """

    images: NDArray[np.uint8] | None = None
    times: NDArray[np.floating] | None = None
    sound: NDArray[Any] | None = None
    rate: int | None = None
    sound_start: float = 0.0
    name: str = "recording"

    def __post_init__(self) -> None:
        if self.images is None and self.sound is None:
            raise BadInput(self.name, "has neither images nor sound")
        if (self.images is None) != (self.times is None):
            raise BadInput(self.name, "images and times go together: one of them is missing")
        if (self.sound is None) != (self.rate is None):
            raise BadInput(self.name, "sound and rate go together: one of them is missing")
        if self.images is not None:
            self._keep("images", _images(self.name, self.images))
            self._keep("times", _times(self.name, self.times, len(self.images)))
        if self.sound is not None:
            self._keep("sound", _sound(self.name, self.sound))
            self._keep("rate", _rate(self.name, self.rate))
            if not np.isfinite(self.sound_start):
                raise BadInput(self.name, f"sound_start is {self.sound_start}, not seconds")

    def _keep(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        parts = []
        if self.images is not None:
            count, height, width, _ = self.images.shape
            parts.append(f"{count} images of {width} x {height}")
        if self.sound is not None and self.rate is not None:
            parts.append(f"{self.sound.shape[1] / self.rate:.2f} s of sound")
        return f"InMemory({self.name!r}, {', '.join(parts)})"

    @property
    def is_still(self) -> bool:
        """Whether it is a single image."""
        return self.images is not None and len(self.images) == 1 and self.sound is None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the images in pixels; 0 without images."""
        return (0, 0) if self.images is None else (self.images.shape[2], self.images.shape[1])

    @property
    def frame_rate(self) -> float:
        """Usual images per second; 0.0 without images."""
        if self.times is None:
            return 0.0
        steps = np.diff(self.times)
        return round(1 / float(np.median(steps)), 4) if len(steps) else 1 / INTERVAL

    def timing(self) -> Timing:
        """When images and sound happen."""
        video = audio = None
        if self.times is not None:
            video = _stamps(self.times, np.zeros(len(self.times)))
        if self.sound is not None and self.rate is not None:
            firsts = np.arange(0, self.sound.shape[1], _BLOCK)
            lengths = np.minimum(float(_BLOCK), self.sound.shape[1] - firsts) / self.rate
            audio = _stamps(self.sound_start + firsts / self.rate, lengths)
        return place(video, audio)

    def frames(self, kinds: set[str]) -> Iterator[Any]:
        """Frames of PyAV, those of all kinds in the order of time.

        Args:
            kinds: `video`, `audio` or both.
        """
        running = []
        if "video" in kinds and self.images is not None:
            running.append(self._shown())
        if "audio" in kinds and self.sound is not None:
            running.append(self._heard())
        yield from heapq.merge(*running, key=lambda frame: frame.pts)

    def _shown(self) -> Iterator[Any]:
        assert self.images is not None and self.times is not None
        for image, time in zip(self.images, self.times, strict=True):
            yield _stamped(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"), time)

    def _heard(self) -> Iterator[Any]:
        assert self.sound is not None and self.rate is not None
        channels, count = self.sound.shape
        layout = _NAMES.get(channels, f"{channels}C")
        for first in range(0, count, _BLOCK):
            block = np.ascontiguousarray(self.sound[:, first : first + _BLOCK])
            frame = av.AudioFrame.from_ndarray(block, _SAMPLES[block.dtype.name], layout)
            frame.sample_rate = self.rate
            yield _stamped(frame, self.sound_start + first / self.rate)


def _stamped(frame: Any, time: float) -> Any:
    frame.pts, frame.time_base = round(float(time) / TICK), TICK
    return frame


def _stamps(starts: NDArray[np.floating], lengths: NDArray[np.float64]) -> Stamps:
    count = len(starts)
    unknown = np.full(count, np.nan)
    return Stamps(np.array(starts, np.float64), lengths, unknown, np.arange(count))


def _images(name: str, images: Any) -> NDArray[np.uint8]:
    try:
        array = np.asanyarray(images)  # a memmap stays one
    except ValueError:
        raise BadInput(name, "images differ in their sizes; expected (N, H, W, 3) uint8") from None
    if array.ndim != 4 or array.shape[-1] != 3 or array.dtype != np.uint8 or not array.size:
        raise BadInput(name, f"images are {_is(array)}; expected (N, H, W, 3) uint8, RGB")
    if array.shape[1] * array.shape[2] > MAX_PIXELS:
        raise BadInput(name, f"images have more than {MAX_PIXELS:,} pixels")
    return array


def _times(name: str, times: Any, count: int) -> NDArray[np.float64]:
    array = np.asarray(times)
    if array.shape != (count,) or array.dtype.kind not in "iuf":
        raise BadInput(name, f"times are {_is(array)}; expected ({count},) seconds, one per image")
    array = array.astype(np.float64)
    if len(wrong := np.flatnonzero(~np.isfinite(array))):
        raise BadInput(name, f"times[{wrong[0]}] is {array[wrong[0]]}, not seconds")
    if len(late := np.flatnonzero(np.diff(array) <= 0)):
        k = int(late[0])
        raise BadInput(
            name, f"times do not rise: {array[k]:g} s is followed by {array[k + 1]:g} s (image {k})"
        )
    return array


def _sound(name: str, sound: Any) -> NDArray[Any]:
    array = np.asanyarray(sound)
    if array.ndim not in (1, 2) or array.dtype.name not in _SAMPLES or not array.size:
        raise BadInput(
            name,
            f"sound is {_is(array)}; expected (samples,) or (channels, samples) of "
            f"{', '.join(_SAMPLES)}",
        )
    if array.ndim == 2 and array.shape[0] > 64:
        turned = "; turn it with sound.T" if array.shape[1] <= 64 else ""
        raise BadInput(name, f"sound has {array.shape[0]:,} channels; expected at most 64{turned}")
    return np.atleast_2d(array)


def _rate(name: str, rate: Any) -> int:
    value = float(rate) if isinstance(rate, Real) else math.nan
    if not RATES[0] <= value <= RATES[1] or value != round(value):
        raise BadInput(name, f"rate is {rate}; expected {RATES[0]:,} to {RATES[1]:,} Hz")
    return round(value)


def _is(array: NDArray[Any]) -> str:
    return f"{array.shape} {array.dtype}"


#: Recordings that are read just now, each under a path that no file has.
_held: dict[Path, InMemory] = {}
_numbers = itertools.count()


@contextmanager
def held(recording: InMemory) -> Iterator[Path]:
    """Within the block a path stands for a recording in memory, wherever recordings are opened.

    Yields:
        The path; its last part is the last one of the name of the recording.
    """
    path = Path(f"affuse in memory {next(_numbers)}") / Path(recording.name).name
    _held[path] = recording
    try:
        yield path
    finally:
        del _held[path]


def held_at(path: str | Path, tracks: Tracks | None = None) -> InMemory | None:
    """The recording in memory that a path stands for; None of files.

    Raises:
        BadInput: Another track than the first one is asked for.
    """
    found = _held.get(Path(path)) if _held else None
    if found is not None and tracks is not None:
        for kind in ("audio", "video"):
            if (number := getattr(tracks, kind)) not in (None, 0):
                raise BadInput(path, f"has no track {number}; arrays are one (0)")
    return found
