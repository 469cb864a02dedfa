"""The last seconds of a source that is read once: a file, a device, a URL or a pipe."""

from __future__ import annotations

import logging
import math
import time as clock
from collections import deque
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from affuse.errors import AffuseError
from affuse.media.channels import Mixer, Samples
from affuse.media.contents import frame_rate
from affuse.media.geometry import geometry_of
from affuse.media.sound_clock import LARGEST, SoundClock
from affuse.media.sounding import Span, Spans
from affuse.media.source import Packets
from affuse.media.timing import LiveClock
from affuse.media.video import Frame, Reformatters

log = logging.getLogger(__name__)

#: Seconds by which sound or pictures may come later than the other before they are not waited for.
LATE = 1.0
_TICKS = 90_000  # per second, of the time stamps of the pictures
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 95]


class Live:
    """A source that is read forwards, with its last seconds kept.

    Args:
        packets: The source, open.
        keep: Seconds that are kept.
        max_side: Longer side in pixels to which pictures are brought, if they are larger.
        realtime: Wait until each picture and sound would be there, were the source live.

    Attributes:
        end: Seconds from the beginning up to which sound or pictures have come.
        sounded: Seconds of sound that have come.
    """

    def __init__(
        self,
        packets: Packets,
        keep: float,
        max_side: int = 640,
        realtime: bool = False,
    ) -> None:
        self.keep, self.max_side, self.realtime = keep, max_side, realtime
        self.end = self.sounded = 0.0
        starts = [s.start_time * s.time_base for s in packets.streams if s.start_time is not None]
        self._origin: float | None = float(min(starts)) if starts else None
        self._stamps: LiveClock | None = None
        self._packets = packets
        self._interval = min(
            (1 / frame_rate(s) for s in packets.streams if s.type == "video"), default=0.0
        )
        pictures = (s.sample_aspect_ratio for s in packets.streams if s.type == "video")
        self._aspect = next(pictures, None)
        # of the latest picture and the latest sound, which may be long
        self._begins = {stream.type: -math.inf for stream in packets.streams}
        self._ends = dict(self._begins)
        self._pictures: deque[tuple[float, bytes]] = deque()
        self._size: tuple[int, int] | None = None
        self._shown = (0, 0)
        self._reformatters = Reformatters()
        self._sound: deque[tuple[int, Samples]] = deque()  # (N,), or (N, channels) for several
        self._clock: SoundClock | None = None
        self._began = 0.0

    def advance(self, until: float) -> bool:
        """Read on until all sound and pictures up to a moment are there.

        What lags more than `LATE` behind is not waited for.

        Args:
            until: Seconds from the beginning, never less than before.

        Returns:
            False when the source ended before.

        Raises:
            AffuseError: It ended before anything could be decoded.
        """
        while min(self._ends.values()) < until and max(self._begins.values()) < until + LATE:
            packet = self._packets.next()
            if packet is None and not (self._pictures or self._sound):
                raise AffuseError(
                    f"{self._packets.source}: nothing in it can be decoded (an MP4 whose index "
                    "comes last cannot be read from a pipe)"
                )
            if packet is None:
                return False
            try:
                frames = packet.decode()
            except av.FFmpegError:  # a damaged part
                continue
            for frame in frames:
                self._take(frame)
        oldest = until - self.keep
        while self._pictures and self._pictures[0][0] < oldest:
            self._pictures.popleft()
        while self._sound and self._clock and self._end_of_first_sound() < oldest:
            self._sound.popleft()
        return True

    @property
    def pictured(self) -> bool:
        """Whether pictures have come."""
        return self._size is not None

    def behind(self, moment: float) -> float:
        """Seconds by which the clock is ahead of a moment of the source."""
        return clock.monotonic() - self._began - moment

    def heard(self, start: float, end: float) -> tuple[Span, ...]:
        """(start, end) in seconds from `start` between which there is sound, up to `end`."""
        if self._clock is None:
            return ()
        spans = Spans(self._clock.rate)
        for position, samples in self._sound:
            spans.note(position, len(samples))
        return spans.between(start, end)

    def write(self, path: Path, start: float, end: float) -> float | None:
        """Write a part of what is kept as a recording: JPEG pictures and uncompressed sound.

        Args:
            path: The `.mov`.
            start: Seconds from the beginning.
            end: Seconds; a picture of this very moment belongs to the part.

        Returns:
            When in the source the recording begins, in seconds; None when there is nothing in it.
        """
        pictures = [(time, data) for time, data in self._pictures if start <= time <= end]
        sound = self._heard(start, end)
        if not len(sound):
            if not pictures:
                return None
            start = pictures[0][0]
        # the first picture's time would be rounded to milliseconds otherwise
        with av.open(str(path), "w", options={"movie_timescale": str(_TICKS)}) as container:
            video: Any = None
            if pictures:
                mean = (len(pictures) - 1) / max(pictures[-1][0] - pictures[0][0], 1e-3) or 25.0
                rate = Fraction(mean).limit_denominator(1001)
                video = container.add_stream("mjpeg", rate)
                (video.width, video.height), video.pix_fmt = self._shown, "yuvj420p"
                video.time_base = video.codec_context.time_base = Fraction(1, _TICKS)
            if len(sound) and self._clock is not None:
                heard: Any = container.add_stream("pcm_f32le", self._clock.rate, layout="mono")
                frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
                frame.sample_rate, frame.pts = self._clock.rate, 0
                frame.time_base = Fraction(1, self._clock.rate)
                container.mux(heard.encode(frame))
                container.mux(heard.encode())
            else:
                container.start_encoding()
            for time, data in pictures:
                packet = av.Packet(data)
                packet.stream, packet.time_base = video, Fraction(1, _TICKS)
                packet.pts = packet.dts = round((time - start) * _TICKS)
                packet.duration, packet.is_keyframe = round(_TICKS / mean), True
                container.mux(packet)
        return start

    def _take(self, frame: Any) -> None:
        if self._origin is None:
            self._origin = frame.time or 0.0
        if self._stamps is None:
            self._stamps = LiveClock(self._origin)
        if isinstance(frame, av.VideoFrame):
            self._see(frame)
        else:
            self._hear(frame)
        self.end = max(self._ends.values())
        self._began = self._began or clock.monotonic() - self.end
        if self.realtime:
            clock.sleep(max(0.0, -self.behind(self.end)))

    def _time_of(self, frame: Any, kind: str) -> float | None:
        if frame.time is None or self._stamps is None:
            return None
        return self._stamps.time_of(kind, frame.time)

    def _see(self, picture: Any) -> None:
        previous = max(self._ends["video"], -self._interval)
        time = previous + self._interval
        told = self._time_of(picture, "video")
        if told is not None and told > previous + 1e-3:  # no two of one stamp in what is written
            time = told
        self._begins["video"] = self._ends["video"] = time
        geometry = geometry_of(picture, self._aspect)
        self._size = self._size or geometry.size
        image = Frame(picture, time, geometry, self._size, self._reformatters).rgb(self.max_side)
        self._shown = (image.shape[1], image.shape[0])
        done, data = cv2.imencode(".jpg", image[..., ::-1], _QUALITY)
        assert done
        self._pictures.append((time, data.tobytes()))

    def _hear(self, frame: Any) -> None:
        if self._clock is None:
            channels = frame.layout.nb_channels
            self._clock = SoundClock(frame.sample_rate, channels=channels)
        time = self._time_of(frame, "audio")
        before = self._clock.wrong
        position, samples = self._clock.place(frame, time)
        self._begins["audio"] = position / self._clock.rate
        self._ends["audio"] = (position + len(samples)) / self._clock.rate
        wrong = self._clock.wrong - before
        if wrong and not before:
            log.warning(
                "%s: its sound has samples that are not a number, or beyond ±%g; filled in",
                self._packets.source,
                LARGEST,
            )
        if wrong <= len(samples) / 2:  # what is made up is not sound
            self._sound.append((position, samples))
            self.sounded += len(samples) / self._clock.rate

    def _end_of_first_sound(self) -> float:
        assert self._clock is not None
        position, samples = self._sound[0]
        return (position + len(samples)) / self._clock.rate

    def _heard(self, start: float, end: float) -> Samples:
        """(N,) from `start` to `end`, zero where there is no sound; nothing when there is none."""
        if self._clock is None or not self.heard(start, end):
            return np.zeros(0, np.float32)
        first, last = round(start * self._clock.rate), round(end * self._clock.rate)
        heard = np.zeros((max(0, last - first), *self._sound[0][1].shape[1:]), np.float32)
        for position, samples in self._sound:
            a, b = max(position, first), min(position + len(samples), last)
            if a < b:
                heard[a - first : b - first] = samples[a - position : b - position]
        mixer = Mixer(self._clock.rate)
        one = [samples for _, samples in (*mixer.push(first, heard), *mixer.finish())]
        return np.concatenate([np.zeros(0, np.float32), *one])
