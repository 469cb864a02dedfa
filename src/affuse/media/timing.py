"""When the contents of a recording happen, from the time stamps of its packets.

Time stamps are believed as long as something is there: a stretch of more than `HOLE` seconds in
which there is neither sound nor an image is left out, and a clock that goes back goes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from affuse.media.counts import HOLE, REORDERED, RESET, Count, Floats, Stamps, counts_of

_AHEAD = 64  # counts among which a counterpart is looked for


@dataclass(frozen=True)
class Track:
    """How time stamps of one stream become seconds of the recording, piece by piece.

    Attributes:
        counts: (P,) which count of time a piece belongs to: they go up from one to the next.
        first: (P,) time stamp in seconds of the beginning of a piece.
        last: (P,) of its end.
        shifts: (P,) seconds to be taken from its time stamps.
        starts: (N,) seconds of the recording at which its packets begin, in the order of the file.
    """

    counts: NDArray[np.intp]
    first: Floats
    last: Floats
    shifts: Floats
    starts: Floats

    @property
    def begin(self) -> float:
        """Second of the recording at which it begins."""
        return float(self.first[0] - self.shifts[0])

    @property
    def end(self) -> float:
        """Second of the recording at which it ends."""
        return float(np.max(self.last - self.shifts))

    @property
    def steady(self) -> bool:
        """Whether no time stamp comes twice, so that one can jump."""
        return not self.counts[-1]

    def stamp_of(self, time: float) -> float:
        """The time stamp in seconds of a second of a steady recording."""
        piece = int(np.searchsorted(self.first - self.shifts, time, "right")) - 1
        return float(time + self.shifts[max(piece, 0)])


@dataclass(frozen=True)
class Timing:
    """When the contents of a recording happen.

    Attributes:
        video: The images, or None.
        audio: The sound, or None.
    """

    video: Track | None
    audio: Track | None

    @property
    def duration(self) -> float:
        """Seconds until the end of the last image and of the sound."""
        return max((track.end for track in (self.video, self.audio) if track), default=0.0)

    @property
    def last(self) -> float:
        """Seconds until the beginning of the last image or packet of sound."""
        tracks = [track for track in (self.video, self.audio) if track]
        return max((float(track.starts.max()) for track in tracks), default=0.0)


@dataclass
class Clock:
    """Tells the seconds of the recording of frames that are decoded one after the other."""

    track: Track
    _count: int = 0
    _last: float = field(default=-np.inf)

    def time_of(self, stamp: float) -> float:
        """Second of the recording that belongs to a time stamp in seconds."""
        here = self._pieces(self._count)
        if here.stop < len(self.track.counts) and not (
            stamp >= self._last - RESET and self._within(stamp, here).any()
        ):
            later = np.flatnonzero(self._within(stamp, slice(here.stop, None)))
            if len(later):
                self._count = int(self.track.counts[here.stop + later[0]])
                here = self._pieces(self._count)
        self._last = stamp
        first = self.track.first[here]
        piece = int(np.searchsorted(first, stamp + RESET / 2, "right")) - 1
        return float(stamp - self.track.shifts[here][max(piece, 0)])

    def _pieces(self, count: int) -> slice:
        first, stop = np.searchsorted(self.track.counts, (count, count + 1))
        return slice(int(first), int(stop))

    def _within(self, stamp: float, pieces: slice) -> NDArray[np.bool_]:
        first, last = self.track.first[pieces], self.track.last[pieces]
        return (first - RESET / 2 <= stamp) & (stamp <= last + RESET / 2)


@dataclass
class LiveClock:
    """Tells the seconds of a source that is read once, of which the rest is not known yet.

    A stamp that is more than `HOLE` ahead of all that has come, or more than `RESET` behind its own
    kind, goes on where its kind ended; what jumps by the same amount stays synchronous.

    Args:
        origin: Time stamp in seconds of the beginning.
    """

    origin: float
    _ends: dict[str, float] = field(default_factory=dict)
    _shifts: list[float] = field(default_factory=list)

    def time_of(self, kind: str, stamp: float) -> float:
        """Second of the source that belongs to a time stamp in seconds of one kind."""
        end = self._ends.get(kind, 0.0)
        furthest = max(self._ends.values(), default=0.0)
        for shift in (*reversed(self._shifts), self.origin):
            if end - RESET <= stamp - shift <= furthest + HOLE:
                break
        else:
            shift = stamp - end
            self._shifts.append(shift)
            del self._shifts[:-REORDERED]
        self._ends[kind] = max(end, stamp - shift)
        return stamp - shift


def place(video: Stamps | None, audio: Stamps | None) -> Timing:
    """Lay the contents of a recording one after the other.

    A piece with sound and images keeps both synchronous; what comes alone after a hole goes on
    where its own kind ended.

    Args:
        video: The images, or None.
        audio: The sound, or None.
    """
    streams = {"video": video, "audio": audio}
    counts = {
        name: [] if stamps is None else counts_of(stamps, name == "video")
        for name, stamps in streams.items()
    }
    ends = dict.fromkeys(streams, 0.0)
    shown: Floats = np.zeros(0)
    pieces: dict[str, list[tuple[int, float, float, float]]] = {name: [] for name in streams}
    for group in _together(counts["video"], counts["audio"]):
        for parts in _segments(group):
            begins = dict(ends)
            if "video" in parts:
                begins["video"] = _room(shown, parts["video"][0], ends["video"])
            shift = min(starts[0] - begins[name] for name, (starts, _) in parts.items())
            for name, (starts, last) in parts.items():
                pieces[name].append((group[name].number, float(starts[0]), last, shift))
                ends[name] = max(ends[name], last - shift)
                if name == "video":
                    shown = np.sort(np.append(shown, starts - shift))[-REORDERED:]
    tracks = {
        name: _track(stamps, counts[name], pieces[name]) if stamps is not None else None
        for name, stamps in streams.items()
    }
    return Timing(tracks["video"], tracks["audio"])


def _together(video: list[Count], audio: list[Count]) -> Iterator[dict[str, Count]]:
    """Counts of images and sound that belong together, or that are alone."""
    v = a = 0
    while v < len(video) or a < len(audio):
        alone = _alone(video[v : v + _AHEAD], audio[a : a + _AHEAD])
        group = {}
        if alone != "audio":
            group["video"], v = video[v], v + 1
        if alone != "video":
            group["audio"], a = audio[a], a + 1
        yield group


def _alone(video: list[Count], audio: list[Count]) -> str | None:
    """Which of the two next counts has no counterpart, judged by where they are in the file."""
    if not video or not audio:
        return "video" if video else "audio"
    if _apart(video[0], audio[0]):
        if any(not _apart(later, audio[0]) for later in video[1:]):
            return "video"
        if any(not _apart(video[0], later) for later in audio[1:]):
            return "audio"
    return None


def _apart(one: Count, other: Count) -> bool:
    """Whether hardly anything of one count is stored among the other."""
    common = min(one.places[1], other.places[1]) - max(one.places[0], other.places[0])
    shorter = min(count.places[1] - count.places[0] for count in (one, other))
    return common < 0.1 * shorter or common < 0


def _segments(group: dict[str, Count]) -> Iterator[dict[str, tuple[Floats, float]]]:
    """Between the holes of counts that belong together: rising time stamps and the last end."""
    names = list(group)
    kinds = np.repeat(np.arange(len(names)), [len(count.starts) for count in group.values()])
    starts = np.concatenate([count.starts for count in group.values()])
    ends = np.concatenate([count.ends for count in group.values()])
    order = np.argsort(starts, kind="stable")
    reached = np.maximum.accumulate(ends[order])
    holes = np.flatnonzero(starts[order][1:] - reached[:-1] > HOLE) + 1
    for part in np.split(order, holes):
        yield {
            name: (starts[these], float(ends[these].max()))
            for number, name in enumerate(names)
            if len(these := part[kinds[part] == number])
        }


def _room(shown: Floats, stamps: Floats, end: float) -> float:
    """Seconds of the recording from which on images have room after the last ones.

    Where the clock was set between images that are stored in another order than shown, the first
    ones belong among those that were shown.

    Args:
        shown: (M,) rising seconds of the recording of the last images.
        stamps: (N,) rising time stamps of the following ones.
        end: Second of the recording at which the last one ends.
    """
    if len(shown) < 3:
        return end
    usual = float(np.median(np.diff(shown)))
    head = stamps[:REORDERED] - stamps[0]
    for begin in shown[:-1] + usual:
        if np.abs(head[:, None] + begin - shown).min() > usual / 2:
            return float(begin)
    return end


def _track(
    stamps: Stamps, counts: list[Count], pieces: list[tuple[int, float, float, float]]
) -> Track:
    numbers, first, last, shifts = (np.array(column) for column in zip(*pieces, strict=True))
    times = np.empty(len(stamps.starts))
    for count in counts:
        here = slice(*np.searchsorted(numbers, (count.number, count.number + 1)))
        which = np.searchsorted(first[here], count.starts, "right") - 1
        times[count.packets] = count.starts - shifts[here][which]
    return Track(numbers.astype(np.intp), first, last, shifts, times)
