"""The people of a recording: which tracks are one person, and who is the main one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

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
        return -float(weight), float(track.times[0])

    left = sorted(tracks, key=rank)
    groups: list[list[Track]] = []
    while left:
        foremost, *others = left
        group, left = [foremost], []
        for track in others:
            (group if _goes_on(track, group) else left).append(track)
        groups.append(sorted(group, key=lambda track: float(track.times[0])))
    people = [_joined(group, groups) for group in groups]
    return sorted(people, key=rank)


def main_track(tracks: Sequence[Track], choice: Choice = "largest") -> Track | None:
    """The main one of `people_of`; None when there are no tracks."""
    people = people_of(tracks, choice)
    return people[0] if people else None


def _goes_on(track: Track, group: Sequence[Track]) -> bool:
    """Whether a track is of the person of a group, of which the first is the foremost."""
    if any(track.times[0] <= o.times[-1] and track.times[-1] >= o.times[0] for o in group):
        return False
    known = [x for other in group if (x := likeness(track.looks, other.looks)) is not None]
    return goes_on(max(known, default=None), _side(track) / _side(group[0]))


def goes_on(alike: float | None, ratio: float) -> bool:
    """Whether a face goes on with a person who was seen at another time.

    Args:
        alike: How alike they look, -1 to 1, or None where nothing tells.
        ratio: Of their sides.
    """
    if alike is not None and alike >= SAME:
        return True
    sized = 1 / RETURNING_SIZE <= ratio <= RETURNING_SIZE
    return sized and (alike is None or alike >= DIFFERENT)


def likeness(one: Floats | None, other: Floats | None) -> float | None:
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
        return sum(bool(track.times[0] <= time <= track.times[-1]) for track in tracks)

    # a greatest number is reached where one of the tracks begins
    begins = [float(track.times[0]) for track in (*chosen, *others)]
    return max((count(others, time) for time in begins if count(chosen, time)), default=0)


def _side(track: Track) -> float:
    return float(np.sqrt(np.median(area(track.boxes))))
