"""A source that is read once, decoded as it comes, on the clock of its beginning."""

from __future__ import annotations

import heapq
import math
import time as clock
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import av

from affuse.errors import AffuseError
from affuse.media.contents import frame_rate
from affuse.media.face import FaceOptions
from affuse.media.geometry import Geometry, geometry_of
from affuse.media.live_faces import LiveFaces
from affuse.media.live_sound import LiveSound
from affuse.media.source import Source
from affuse.media.timing import LiveClock
from affuse.media.video import Frame, Reformatters

#: Seconds by which sound or frames may come later than the other before they are not waited for,
#: of a source that goes by the clock, and of a file.
LATE, LATE_IN_FILE = 1.0, 10.0
#: Seconds after which a frame that waited for others to be computed is dropped.
BEHIND = 0.3
_AT_ONCE = 0.1  # seconds: what is taken so soon after it came did not wait
_POLL = 0.05  # seconds after which it is looked whether a source has stalled
_AHEAD = 3.0  # seconds that a paced file is decoded ahead at most, to have all in order


class Live:
    """A source that is read forwards: what is in it is handed on at once, and not kept.

    Args:
        packets: The source, open.
        keep: Seconds for which it is remembered where there was sound.
        realtime: Hand on what a file holds when it would be there, were the source live.

    Attributes:
        faces: Those who are shown the frames.
        sound: Gets the sound; None where it is not wanted.
        end: Seconds from the beginning up to which sound or frames have come.
        late: Seconds by which sound or frames may come later than the other.
        waited: Seconds since what was handed on last had come.
        dropped: Frames that waited too long to be looked at.
        clocked: Whether the source goes by the clock, and is not a file that waits.
    """

    def __init__(self, packets: Source, keep: float, realtime: bool = False) -> None:
        self.packets, self.realtime = packets, realtime
        self.clocked = realtime or not packets.is_file
        self.faces: list[LiveFaces] = []
        self.sound = LiveSound(packets.source, keep) if "audio" in packets.kinds else None
        self.end, self.dropped, self.ended = 0.0, 0, False
        self.late, self.waited = LATE if self.clocked else LATE_IN_FILE, 0.0
        self._began: float | None = None
        self._came = False
        self._reformatters = Reformatters()
        self._size: tuple[int, int] | None = None
        self._frames = self._paced() if realtime else self._decoded()
        self._open(packets.streams, 0.0)

    def _open(self, streams: list[Any], offset: float) -> None:
        """Begin with what was opened, so many seconds from the beginning of the source."""
        starts = [s.start_time * s.time_base for s in streams if s.start_time is not None]
        self._origin: float | None = float(min(starts)) if starts and not offset else None
        self._offset = offset
        self._stamps: LiveClock | None = None
        pictures = [s for s in streams if s.type == "video"]
        self.rate = next((frame_rate(s) for s in pictures), 25.0)
        self._aspect = next((s.sample_aspect_ratio for s in pictures), None)
        self._geometries: dict[tuple[int, int, int], Geometry] = {}
        # of the latest frame and the latest sound, which may be long
        self._begins = {stream.type: -math.inf for stream in streams}
        for stream in streams:
            if stream.type == "audio" and self.sound is not None:
                self.sound.expect(stream.codec_context.sample_rate, stream.codec_context.channels)
        self._ends = dict(self._begins)

    def faces_of(self, options: FaceOptions) -> LiveFaces:
        """Those who find faces in one way, before anything is read; crops do not change it."""
        options = replace(options, margin=0.0, align=False)
        for faces in self.faces:
            if faces.options == options:
                return faces
        self.faces.append(LiveFaces(options, self.rate))
        return self.faces[-1]

    def now(self) -> float | None:
        """Seconds of the source that are over by the clock; None before anything has come."""
        return None if self._began is None else clock.monotonic() - self._began

    def behind(self, moment: float) -> float:
        """Seconds by which the clock is ahead of a moment of the source."""
        now = self.now() if self.clocked else None
        return 0.0 if now is None else max(0.0, now - moment)

    def step(self) -> bool:
        """Take a frame or some sound, and hand it on; or find that nothing came.

        Returns:
            False when the source has ended.

        Raises:
            AffuseError: It ended before anything could be decoded.
        """
        found = next(self._frames, None)
        if found is not None:
            frame, came = found
            if frame is not None:
                self.waited = self._waited(clock.monotonic() - came)
                self._take(frame)
            self._give_up()
            return True
        if not self._came:
            raise AffuseError(
                f"{self.packets.source}: nothing in it can be decoded (an MP4 whose index "
                "comes last cannot be read from a pipe)"
            )
        if not self.ended:
            self.ended = True
            for faces in self.faces:
                faces.finish()
            if self.sound is not None:
                self.sound.finish()
        return False

    def _waited(self, seconds: float) -> float:
        """How long something waited that came so long ago: not at all if it is ahead of time."""
        return seconds if self.realtime else min(seconds, self.behind(self.end))

    def _decoded(self) -> Iterator[tuple[Any, float]]:
        """Frames and sound, with the second of the clock at which they came; None while nothing."""
        while True:
            try:
                arrival = self.packets.next(_POLL if self.clocked and not self.realtime else None)
            except TimeoutError:
                self.waited = 0.0
                yield None, 0.0
                continue
            if arrival is None:
                return
            if arrival.streams is not None:
                self._open(arrival.streams, self.now() or 0.0)
                continue
            try:
                frames = arrival.packet.decode()
            except (av.FFmpegError, ValueError, OverflowError):  # a damaged part
                continue
            for frame in frames:
                yield frame, arrival.time

    def _paced(self) -> Iterator[tuple[Any, float]]:
        """What a file holds, each when it is due: frames when they begin, sound when it ends."""
        waiting: list[tuple[float, int, Any]] = []
        numbers = count()
        latest = {stream.type: -math.inf for stream in self.packets.streams}
        for frame, _ in self._decoded():
            kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
            due = latest[kind]
            if frame.time is not None:
                due = frame.time - (self._origin or 0.0)
                due += 0.0 if kind == "video" else frame.samples / frame.sample_rate
            latest[kind] = max(latest[kind], due)
            heapq.heappush(waiting, (due, next(numbers), frame))
            until = max(min(latest.values()), max(latest.values()) - _AHEAD)
            while waiting and waiting[0][0] <= until:
                yield self._when_due(*heapq.heappop(waiting))
        while waiting:
            yield self._when_due(*heapq.heappop(waiting))

    def _when_due(self, due: float, number: int, frame: Any) -> tuple[Any, float]:
        if self._began is None:
            self._began = clock.monotonic() - due
        clock.sleep(max(0.0, self._began + due - clock.monotonic()))
        return frame, self._began + due

    def _take(self, frame: Any) -> None:
        self._came = True
        kind = "video" if isinstance(frame, av.VideoFrame) else "audio"
        time = self._time_of(frame, kind)
        if kind == "video":
            time = self._time_of_frame(time)
            self._begins[kind] = self._ends[kind] = time
            if self.clocked and self.waited > BEHIND:
                self.dropped += 1
            else:
                self._see(frame, time)
        elif self.sound is not None:
            self._begins[kind], self._ends[kind] = self.sound.hear(frame, time)
        self.end = max(self.end, self._ends.get(kind, 0.0))
        if self.clocked and not self.realtime:
            self._set_clock()

    def _set_clock(self) -> None:
        """What comes is never ahead of the clock; what the source itself delays comes now."""
        now = clock.monotonic()
        newest = max(self._ends.values())
        if self._began is None or now - self._began < newest:
            self._began = now - newest
        elif now - self._began > newest + self.late and self.waited < _AT_ONCE:
            self._offset += now - self._began - newest

    def _give_up(self) -> None:
        """Wait no longer for what lags too far behind, or does not come."""
        newest = max(self._begins.values(), default=0.0)
        if self.clocked:
            newest = max(newest, self.now() or 0.0)
        for faces in self.faces:
            faces.give_up(newest - self._patience("video", newest))
        if self.sound is not None:
            self.sound.give_up(newest - self._patience("audio", newest))

    def _patience(self, kind: str, newest: float) -> float:
        """Seconds for which sound or frames are waited for: less once they are lost."""
        if kind not in self._ends:
            return 0.0
        lost = self.clocked and newest - max(self._ends[kind], self._offset) > self.late
        return BEHIND if lost else self.late

    def _time_of(self, frame: Any, kind: str) -> float | None:
        if self._origin is None:
            self._origin = frame.time or 0.0
        if self._stamps is None:
            self._stamps = LiveClock(self._origin)
        if frame.time is None:
            return None
        return self._stamps.time_of(kind, frame.time) + self._offset

    def _time_of_frame(self, told: float | None) -> float:
        """Second of a frame: what its time stamp says, if it says anything new."""
        interval = 1 / self.rate
        previous = max(self._ends["video"], self._offset - interval)
        return previous + interval if told is None or told <= previous + 1e-3 else told

    def _see(self, picture: Any, time: float) -> None:
        # to ask a frame of PyAV for all that comes with it keeps it until garbage is collected
        known = picture.width, picture.height, picture.rotation
        if known not in self._geometries:
            self._geometries[known] = geometry_of(picture, self._aspect)
        geometry = self._geometries[known]
        self._size = self._size or geometry.size
        frame = Frame(picture, time, geometry, self._size, self._reformatters)
        for faces in self.faces:
            faces.see(frame)
