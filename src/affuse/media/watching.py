"""Follow the faces of a recording and cut them out, while its frames come by."""

from __future__ import annotations

from array import array
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from affuse.execution.spool import Spool
from affuse.media.boxes import area
from affuse.media.crops import Images, Standing, cut_out
from affuse.media.following import Follower, Sampling
from affuse.media.linking import Sight
from affuse.media.quality import FaceNotes, FaceSeries, face_quality
from affuse.media.shown import Showing
from affuse.media.tracks import Floats, Track
from affuse.media.video import Frame

MOST = 4
"""Faces that are cut out of one frame, the largest."""

BLOCK = 256
"""Crops of a block."""

Cover = Callable[[Frame, Floats, Floats | None], Frame]
"""What is done to a frame before a face is cut out of it; see `changes.clip.ClipChanges.face`."""


@dataclass(frozen=True)
class Cut:
    """Crops of a face that are wanted of a recording.

    Attributes:
        times: (N,) seconds of the recording, not falling.
        size: As in `cut_out`.
        margin: As in `cut_out`.
        align: As in `cut_out`.
    """

    times: NDArray[np.floating]
    size: int
    margin: float = 0.0
    align: bool = False


class _Own:
    """The crops of one face, each of which stands for some of the times, in few bytes.

    Attributes:
        rows: Of each crop the place in the spool, the first of its times, and that after the last.
        moments: Seconds at which the face was looked up.
        quality: How well it is seen.
    """

    def __init__(self) -> None:
        self.rows, self.moments, self.quality = array("q"), array("d"), FaceNotes()


class Crops:
    """Crops of every face.

    Args:
        cut: Which ones.
        cover: What is done to faces before.
    """

    def __init__(self, cut: Cut, cover: Cover | None = None) -> None:
        self.cut, self._cover = cut, cover
        self._spool = Spool((cut.size, cut.size, 3), "uint8")
        self._of: dict[int, _Own] = defaultdict(_Own)

    @property
    def times(self) -> NDArray[np.floating]:
        """(N,) seconds at which crops are wanted."""
        return self.cut.times

    def see(
        self, frame: Frame, moment: float, rows: NDArray[np.intp], sights: Sequence[Sight]
    ) -> None:
        """Cut the faces out of a frame."""
        for sight in sights:
            self.add(frame, moment, rows, sight)

    def add(self, frame: Frame, moment: float, rows: NDArray[np.intp], sight: Sight) -> None:
        """Cut a face out of a frame.

        Args:
            frame: The frame.
            moment: Seconds at which the face was looked up.
            rows: Which of the times the frame stands for.
            sight: The face.
        """
        cut, own = self.cut, self._of[sight.number]
        own.rows.extend((len(self._spool), int(rows[0]), int(rows[-1]) + 1))
        own.moments.append(moment)
        if self._cover is not None:
            frame = self._cover(frame, sight.box, sight.landmarks)
        crop = cut_out(frame, sight.box, sight.landmarks, cut.size, cut.margin, cut.align)
        self._spool.append(crop[None])
        own.quality.add(face_quality(crop, sight.box, sight.landmarks, cut.margin))

    def quality(self, track: Track) -> FaceSeries:
        """How well a face, of one track or several, is seen in the frames it is cut out of."""
        times, values = [np.zeros(0)], [FaceNotes().values]
        for part, number in enumerate(track.numbers):
            moments = np.array(self._of[number].moments)
            ours = track.parts_at(moments) == part
            times.append(moments[ours])
            values.append(self._of[number].quality.values[ours])
        order = np.argsort(joined := np.concatenate(times), kind="stable")
        return FaceSeries(joined[order], np.concatenate(values)[order])

    def become(self, other: Crops) -> None:
        """Hold what others hold instead."""
        self._of, self._spool = other._of, other._spool

    def blocks(self, track: Track | None) -> Iterator[tuple[slice, Images, NDArray[np.bool_]]]:
        """The crops of one face, in the order of the times.

        Args:
            track: The face, of one track or several; None is a face that is nowhere.

        Yields:
            Which of the times these are, of them (N, size, size, 3) RGB, black where the face is
            not there, and (N,) bool whether it is.
        """
        cut = self.cut
        taken = np.full(len(cut.times), -1)
        for part, number in enumerate(track.numbers if track is not None else ()):
            own = self._of[number]
            if track is None or not own.moments:
                continue
            ours = track.parts_at(np.array(own.moments)) == part
            for place, begin, end in np.array(own.rows).reshape(-1, 3)[ours].tolist():
                taken[begin:end] = place
        for first in range(0, len(taken), BLOCK):
            places = taken[first : first + BLOCK]
            present = places >= 0
            crops = np.zeros((len(places), cut.size, cut.size, 3), np.uint8)
            for row, place in zip(np.flatnonzero(present), places[present], strict=True):
                crops[row] = self._spool.read(int(place), int(place) + 1)[0]
            yield slice(first, first + len(places)), crops, present


class Observer(Protocol):
    """Somebody who is shown the faces of the frames that stand for some times."""

    @property
    def times(self) -> NDArray[np.floating]:
        """(N,) seconds, not falling."""
        ...

    def see(
        self, frame: Frame, moment: float, rows: NDArray[np.intp], sights: Sequence[Sight]
    ) -> None:
        """Take the faces of a frame.

        Args:
            frame: The frame.
            moment: Seconds at which the faces were looked up.
            rows: Which of the times the frame stands for.
            sights: The faces, the largest first.
        """
        ...


class Watch:
    """Follows the faces of a recording, and shows them to those who want some of them.

    Args:
        shown: When its frames are shown.
        follower: Finds and follows faces.
        sampling: Which frames are searched.
        observers: Who wants faces.
        turn: Quarter turns counter-clockwise by which frames are turned before.
        most: Faces of one frame that are shown, the largest.

    Attributes:
        start: The second from which frames are wanted.
        end: The second until which they are; None is the end.
    """

    def __init__(
        self,
        shown: Showing,
        follower: Follower,
        sampling: Sampling,
        observers: Sequence[Observer],
        turn: int = 0,
        most: int = MOST,
    ) -> None:
        self.follower, self.sampling, self.turn, self.most = follower, sampling, turn, most
        self._observers = [(one, Standing(shown, one.times)) for one in observers]
        begin = -np.inf if sampling.start is None else shown.begin(sampling.start)
        end = np.inf if sampling.end is None else sampling.end
        self._searched = begin, end
        self.start: float | None = min([begin, *(one.start for _, one in self._observers)])
        last = max([end, *(one.end for _, one in self._observers)])
        self.end: float | None = None if np.isinf(last) else last
        self._pending: deque[tuple[Observer, Frame, float, NDArray[np.intp]]] = deque()
        self._skipped: Frame | None = None

    def see(self, frame: Frame) -> None:
        """Take a frame, one after the other."""
        frame = frame.turned(self.turn)
        first, last = self._searched
        if first <= frame.time < last:
            moments = self.sampling.moments(frame.time)
            if moments:
                self.follower.see(frame, moments)
            self._skipped = None if moments else frame
        for observer, standing in self._observers:
            if standing.start <= frame.time < standing.end:
                self._wait(observer, standing.push(frame))
        self._show(self.follower.linking.decided())

    def finish(self) -> None:
        """The last frame has come."""
        if self._skipped is not None:
            self.follower.see(self._skipped, [self._skipped.time])
        for observer, standing in self._observers:
            self._wait(observer, standing.push(None))
        self._show(np.inf)

    def _wait(
        self, observer: Observer, found: tuple[Frame, float, NDArray[np.intp]] | None
    ) -> None:
        if found is not None:
            self._pending.append((observer, *found))

    def _show(self, until: float) -> None:
        """Show the frames up to a second, of which it is known who is in them."""
        known = []
        while self._pending and self._pending[0][2] <= until:
            known.append(self._pending.popleft())
        known.sort(key=lambda one: one[2])
        faces = self.follower.linking.at([moment for _, _, moment, _ in known])
        for (observer, frame, moment, rows), sights in zip(known, faces, strict=True):
            sights.sort(key=lambda sight: -float(area(sight.box)))
            observer.see(frame, moment, rows, sights[: self.most])
