"""A source whose sound and images are handed over by a program, one piece after the other."""

from __future__ import annotations

import io
import queue
import time as clock
from collections.abc import Callable, Collection
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from affuse.errors import AffuseError
from affuse.media.source import Arrival, next_in

_MICROSECOND = Fraction(1, 1_000_000)


class NoImage(AffuseError):
    """Bytes that are no JPEG."""


class TooManyPixels(AffuseError):
    """A JPEG of more pixels than are taken."""


@dataclass(frozen=True)
class _Codec:
    sample_rate: int = 0
    channels: int = 1


@dataclass(frozen=True)
class _Stream:
    """What `Live` asks of a stream of PyAV."""

    type: str
    average_rate: float | None = None
    codec_context: _Codec = _Codec()
    guessed_rate: None = None
    sample_aspect_ratio: None = None
    start_time: int = 0
    time_base: Fraction = _MICROSECOND


@dataclass(frozen=True)
class _Sound:
    data: bytes
    time: float
    rate: int

    def decode(self) -> list[av.AudioFrame]:
        frame = av.AudioFrame.from_ndarray(np.frombuffer(self.data, "<i2")[None], "s16", "mono")
        frame.sample_rate = self.rate
        frame.pts, frame.time_base = round(self.time * 1_000_000), _MICROSECOND
        return [frame]


@dataclass(frozen=True)
class _Image:
    data: bytes
    time: float
    decoder: Any

    def decode(self) -> list[av.VideoFrame]:
        packet = av.Packet(self.data)
        packet.pts, packet.time_base = round(self.time * 1_000_000), _MICROSECOND
        return list(self.decoder.decode(packet))


class Pushed:
    """What `affuse.media.live.Live` reads in the place of `affuse.media.source.Packets`.

    Times are seconds since the beginning, of sound and images alike. Nothing here limits how much
    waits: whoever pushes is told what was taken. One thread may push while another reads.

    Args:
        name: What errors and warnings name.
        kinds: What is wanted of it, `video` and `audio`.
        sound: Hz of its sound; None where it has none.
        images: About how many images it has per second; None where it has none.
        realtime: Whether it goes by the clock, so that what comes too late is dropped. Otherwise
            everything in it counts, as in a file.
        pixels: Width times height of its images at most.
        taken: Told of the bytes of each piece that does not wait any more.

    Raises:
        AffuseError: It has nothing of what is wanted.
    """

    def __init__(
        self,
        name: str,
        kinds: Collection[str],
        sound: int | None,
        images: float | None,
        realtime: bool,
        pixels: int,
        taken: Callable[[int], None] = lambda size: None,
    ) -> None:
        self.source, self.kinds, self._realtime = name, kinds, realtime
        self._pixels, self._taken = pixels, taken
        self.streams: list[Any] = []
        if images is not None and "video" in kinds:
            self.streams.append(_Stream("video", images))
        if sound is not None and "audio" in kinds:
            self.streams.append(_Stream("audio", codec_context=_Codec(sound)))
        if not self.streams:
            raise AffuseError(f"the model reads {' and '.join(sorted(kinds))} alone")
        self._decoder = av.CodecContext.create("mjpeg", "r")
        self._decoder.options = {"max_pixels": str(pixels)}
        self._queue: queue.SimpleQueue[Arrival | None] = queue.SimpleQueue()

    @property
    def is_file(self) -> bool:
        """Whether all of it counts, as of a file."""
        return not self._realtime

    def push_sound(self, time: float, data: bytes) -> None:
        """Hand over sound.

        Args:
            time: Seconds at which it begins.
            data: Samples of 16 bits, little-endian, of one channel.
        """
        rate = next((s.codec_context.sample_rate for s in self.streams if s.type == "audio"), 0)
        if rate and data:
            self._put(_Sound(data, time, rate))
        else:
            self._taken(len(data))

    def push_image(self, time: float, data: bytes) -> None:
        """Hand over an image.

        Args:
            time: Seconds from which on it is shown.
            data: A JPEG. One that is damaged behind its header is left out.

        Raises:
            NoImage: It is none.
            TooManyPixels: It has more pixels than are taken.
        """
        width, height = _size_of(data)
        if width * height > self._pixels:
            raise TooManyPixels(
                f"an image has {width} x {height} pixels; {self._pixels:,} are taken"
            )
        if any(stream.type == "video" for stream in self.streams):
            self._put(_Image(data, time, self._decoder))
        else:
            self._taken(len(data))

    def end(self) -> None:
        """Nothing follows."""
        self._queue.put(None)

    def next(self, timeout: float | None = None) -> Arrival | None:
        """The next piece, or None at the end.

        Args:
            timeout: Seconds to wait for it; None waits as long as it takes.

        Raises:
            TimeoutError: Nothing came.
        """
        arrival: Arrival | None = next_in(self._queue, timeout)
        if arrival is not None:
            self._taken(len(arrival.packet.data))
        return arrival

    def _put(self, packet: _Sound | _Image) -> None:
        self._queue.put(Arrival(packet, clock.monotonic()))


def _size_of(data: bytes) -> tuple[int, int]:
    """Width and height of a JPEG, of which only the header is read."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
            return image.size
    except Image.DecompressionBombError:
        raise TooManyPixels("an image has more pixels than are taken") from None
    except Exception as error:  # Pillow raises many kinds at what is damaged
        raise NoImage("an image is no JPEG") from error
