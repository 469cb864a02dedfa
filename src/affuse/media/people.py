"""The people of a recording: which tracks are one person, and who is the main one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, Protocol, TypeVar, get_args

import numpy as np

from affuse.media.appearance import DIFFERENT, SAME
from affuse.media.boxes import area
from affuse.media.tracks import Floats, Track

Choice = Literal["largest", "longest"]

RETURNING_SIZE = 2.0  # greatest ratio of the sides of a person who left and came back


def people_of(tracks: Sequence[Track], choice: Choice = "largest") -> list[Track]:
    """The people of a recording, the main one first.

    A person is one face for the whole recording. Where it is not seen, other tracks go on with it,
    the foremost first: those that do not overlap in time with what it has, and look like it. Where
    looks do not tell, faces go on that are at most twice as large or small: so a person whom the
    camera shows from elsewhere stays one, but two who are shown in turn and look alike are one too.

    Args:
        tracks: Of one recording.
        choice: "largest" ranks by the area summed over the detections, "longest" by their number.
            The earlier track wins a tie.

    Returns:
        Tracks whose stretches are numbered in `parts`.
    """
    if choice not in get_args(Choice):
        raise ValueError(f"choice must be one of {', '.join(get_args(Choice))}, not {choice!r}")

    def rank(track: Track) -> tuple[float, float]:
        weight = area(track.boxes).sum() if choice == "largest" else len(track.times)
        return -float(weight), track.first

    left = sorted(tracks, key=rank)
    groups: list[list[Track]] = []
    while left:
        group, left = foremost(left)
        groups.append(sorted(group, key=lambda track: track.first))
    people = [_joined(group, groups) for group in groups]
    return sorted(people, key=rank)


class Seen(Protocol):
    """What tells whether a face goes on with a person: a `Track`, or what is known of one."""

    @property
    def first(self) -> float:
        """Seconds of the first detection."""
        ...

    @property
    def last(self) -> float:
        """Seconds of the last detection."""
        ...

    @property
    def side(self) -> float:
        """Median side in pixels."""
        ...

    @property
    def looks(self) -> Floats | None:
        """What the face looks like on average, of any length; None where nothing tells."""
        ...


S = TypeVar("S", bound=Seen)


def foremost(ranked: Iterable[S]) -> tuple[list[S], list[S]]:
    """Those of some faces that are the person of the first one, see `people_of`, and the others.

    Args:
        ranked: The foremost first.
    """
    person: list[S] = []
    others: list[S] = []
    for one in ranked:
        (person if not person or _goes_on(one, person) else others).append(one)
    return person, others


def _goes_on(one: Seen, person: Sequence[Seen]) -> bool:
    """Whether a face is that of a person, of whose faces the first is the foremost."""
    if any(one.first <= other.last and one.last >= other.first for other in person):
        return False
    known = [x for other in person if (x := _likeness(one.looks, other.looks)) is not None]
    alike = max(known, default=None)
    if alike is not None and alike >= SAME:
        return True
    sized = 1 / RETURNING_SIZE <= one.side / person[0].side <= RETURNING_SIZE
    return sized and (alike is None or alike >= DIFFERENT)


def _likeness(one: Floats | None, other: Floats | None) -> float | None:
    """How alike two faces are by their mean looks, -1 to 1; None where nothing tells."""
    if one is None or other is None:
        return None
    size = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / size if size else None


def _joined(group: Sequence[Track], groups: Sequence[Sequence[Track]]) -> Track:
    points = [track.landmarks for track in group if track.landmarks is not None]
    others = [track for other in groups if other is not group for track in other]
    return replace(
        group[0],
        times=np.concatenate([track.times for track in group]),
        boxes=np.concatenate([track.boxes for track in group]),
        probabilities=np.concatenate([track.probabilities for track in group]),
        landmarks=np.concatenate(points) if len(points) == len(group) else None,
        parts=np.repeat(np.arange(len(group)), [len(track.times) for track in group]),
        numbers=tuple(number for track in group for number in track.numbers),
        others=_most_at_once(group, others),
    )


def _most_at_once(chosen: Sequence[Track], others: Sequence[Track]) -> int:
    """How many other tracks there are at most at one time at which there is a chosen one."""

    def count(tracks: Sequence[Track], time: float) -> int:
        return sum(track.first <= time <= track.last for track in tracks)

    # a greatest number is reached where one of the tracks begins
    begins = [track.first for track in (*chosen, *others)]
    return max((count(others, time) for time in begins if count(chosen, time)), default=0)
