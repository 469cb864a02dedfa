"""Follow the main face of a source that is read once, and cut it out, frame by frame."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from affuse.media.crops import Images, cut_out
from affuse.media.detectors import create_detector
from affuse.media.face import FaceOptions
from affuse.media.following import Follower, Sampling
from affuse.media.main_face import MainFace
from affuse.media.shown import Showing, usual_interval
from affuse.media.video import Frame

_FRAMES = 65  # times that are remembered, by which the usual interval is known
_REMEMBERED = 10.0  # seconds of detections that are remembered


@dataclass(frozen=True)
class _Pending:
    """A frame that stands for some rows, of which it is not known yet who is in it."""

    frame: Frame
    moment: float
    rows: list[int]


class LiveCrops:
    """Crops of the main face at regular times.

    Args:
        first: Seconds of the first crop.
        rate: Crops per second in Hz.
        size: As in `cut_out`.
        margin: As in `cut_out`.
        align: As in `cut_out`.
    """

    def __init__(self, first: float, rate: float, size: int, margin: float, align: bool) -> None:
        self.first, self.rate = first, rate
        self._size, self._margin, self._align = size, margin, align
        self._next = self._given = 0  # rows that have a frame, if any; and those that are taken
        self._pending: deque[_Pending] = deque()
        self._ready: dict[int, Images] = {}

    def time_of(self, row: int) -> float:
        """Seconds of a row."""
        return self.first + row / self.rate

    def row_at(self, time: float) -> int:
        """The first row that is not before a second."""
        row = max(int((time - self.first) * self.rate) - 1, 0)
        while self.time_of(row) < time:
            row += 1
        return row

    def take(self) -> tuple[Images, NDArray[np.bool_]]:
        """The rows that are decided and were not taken yet.

        Returns:
            (N, size, size, 3) RGB, black where the face is not there, and (N,) bool whether it is.
        """
        until = self._pending[0].rows[0] if self._pending else self._next
        count = max(0, until - self._given)
        crops = np.zeros((count, self._size, self._size, 3), np.uint8)
        there = np.zeros(count, bool)
        for row in range(count):
            crop = self._ready.pop(self._given + row, None)
            if crop is not None:
                crops[row], there[row] = crop, True
        self._given += count
        return crops, there

    def stand(self, frame: Frame, shown: Showing, change: float) -> None:
        """Let a frame stand for the rows up to a second, as `Standing` does."""
        stop = max(self.row_at(change), self._next)
        since, until = shown.stands(frame.time)
        rows = [
            row
            for row in range(self._next, stop)
            if since - 1e-9 <= self.time_of(row) <= until + 1e-9
        ]
        self._next = stop
        if rows:
            held = shown.is_held(frame.time)
            moment = max(frame.time, self.first) if held else frame.time
            self._pending.append(_Pending(frame, moment, rows))

    def settle(self, until: float, faces: LiveFaces, waits: bool = True) -> None:
        """Cut out of the frames up to a second.

        Args:
            until: Seconds.
            faces: Who is in them.
            waits: Whether a face that is new may still be seen often enough to count.
        """
        while self._pending and self._pending[0].moment <= until:
            pending = self._pending[0]
            (sights,) = faces.follower.linking.at([pending.moment])
            sight = faces.main.of(sights)
            if sight is None and waits and faces.main.may_be(sights):
                return
            self._pending.popleft()
            if sight is not None:
                crop = cut_out(
                    pending.frame,
                    sight.box,
                    sight.landmarks,
                    self._size,
                    self._margin,
                    self._align,
                )
                self._ready |= dict.fromkeys(pending.rows, crop)

    def give_up(self, until: float, faces: LiveFaces) -> None:
        """Wait no longer for what belongs to rows before a second."""
        stop = self.row_at(until)
        if stop > self._next or (self._pending and self._pending[0].rows[0] < stop):
            faces.end_of_frames(self, until)
            self.settle(until, faces, waits=False)
            self._next = max(self._next, stop)


class LiveFaces:
    """Follows the faces in frames as they come, as `Watch` does.

    Args:
        options: How faces are found and which one counts.
        rate: Of the frames in Hz, as the source says.
    """

    def __init__(self, options: FaceOptions, rate: float) -> None:
        self.options, self.rate = options, rate
        detector = create_detector(
            options.detector, min_face_size=options.min_face_size, max_side=options.max_side
        )
        blank = np.zeros((360, 640, 3), np.uint8)
        detector.detect([blank])  # the first time takes long
        detector.confirm(blank, np.array([[100.0, 100.0, 200.0, 200.0]]))
        self.follower = Follower(detector, options.every)
        self.main = MainFace(options.choice)
        self.crops: list[LiveCrops] = []
        self._times: deque[float] = deque(maxlen=_FRAMES)
        self._shown = Showing(np.zeros(0), 1 / rate, 0.0)
        self._sampling = Sampling(self._shown, options.every, None, None)
        self._previous: Frame | None = None
        self._searched = True  # whether the last frame was

    def cut(self, first: float, rate: float, size: int, margin: float, align: bool) -> LiveCrops:
        """Ask for crops, before the first frame; see `LiveCrops`."""
        self.crops.append(LiveCrops(first, rate, size, margin, align))
        return self.crops[-1]

    def see(self, frame: Frame) -> None:
        """Take a frame, one after the other."""
        previous, self._previous = self._previous, frame
        self._times.append(frame.time)
        times = np.array(self._times)
        usual = usual_interval(times, 1 / self.rate)
        self._shown = self._sampling.shown = Showing(times, usual, 0.0)
        every = self.options.every
        self.follower.linking.step = max(every, math.ceil((every - 1e-3) / usual) * usual)
        if previous is not None and self._shown.is_held(previous.time):
            self._look(previous)
        self._searched = self._look(frame)
        if previous is not None:
            self._stand(previous, frame)
        decided = self.follower.linking.decided(0.0)
        for crops in self.crops:
            crops.settle(decided, self)

    def finish(self) -> None:
        """The last frame has come."""
        last = self._previous
        if last is None:
            return
        if not self._searched:
            self._found(last, [last.time])
        for crops in self.crops:
            crops.stand(last, self._shown, last.time + self._shown.usual)
        for crops in self.crops:
            crops.settle(np.inf, self, waits=False)

    def give_up(self, until: float) -> None:
        """Wait no longer for frames of before a second."""
        for crops in self.crops:
            crops.give_up(until, self)

    def end_of_frames(self, crops: LiveCrops, until: float) -> None:
        """The last frame stands for what follows it, as far as it can."""
        if self._previous is not None:
            crops.stand(self._previous, self._shown, until)

    def _stand(self, previous: Frame, frame: Frame) -> None:
        """See `Standing`: the time from which on the next frame stands."""
        shown = self._shown
        until, since = shown.stands(previous.time)[1], shown.stands(frame.time)[0]
        change = (previous.time + frame.time) / 2
        if since <= until + 1e-6:
            change = min(max(change, since), until)
        for crops in self.crops:
            crops.stand(previous, shown, change)

    def _look(self, frame: Frame) -> bool:
        """Find the faces of a frame, if it is its turn."""
        moments = self._sampling.moments(frame.time)
        if moments:
            self._found(frame, moments)
        return bool(moments)

    def _found(self, frame: Frame, moments: list[float]) -> None:
        self.follower.see(frame, moments)
        linking = self.follower.linking
        for moment in moments:
            self.main.add(moment, linking.latest())
        linking.forget(moments[-1] - _REMEMBERED)
