"""Stretches of a stream during which its clock is not set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

HOLE = 60.0
"""Seconds without sound and without a new image up to which time stamps are believed."""
RESET = 1.0
"""Seconds by which time stamps that go back mean a new count, not an overlap."""
REORDERED = 16
"""Packets of images among which they are stored in another order than shown."""
HELD = 10.0
"""Seconds for which the last image is held at most if none before was held longer."""
INTERVAL = 0.04
"""Seconds from image to image where nothing tells."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Stamps:
    """The packets of one stream, in the order of the file.

    Attributes:
        starts: (N,) seconds by their time stamps.
        lengths: (N,) seconds that each lasts by its header; 0 where it does not say.
        order: (N,) seconds by their stamps of decoding; NaN where there are none.
        places: (N,) rising numbers of the packets in the file.
    """

    starts: Floats
    lengths: Floats
    order: Floats
    places: NDArray[np.int64]


@dataclass(frozen=True)
class Count:
    """Packets of one stream during which its clock is not set back."""

    number: int
    packets: slice
    starts: Floats
    ends: Floats
    places: tuple[int, int]


def counts_of(stamps: Stamps, pictures: bool) -> list[Count]:
    """Part the packets of a stream where its clock was set back, or is wrong for a while.

    Args:
        stamps: The packets.
        pictures: Whether these are images, which may be stored in another order than shown, and
            of which each is shown until the next one.
    """
    edges = [0, *_set_back(stamps, pictures).tolist(), len(stamps.starts)]
    steps = np.concatenate([np.diff(np.sort(stamps.starts[a:b])) for a, b in pairwise(edges)])
    steps = steps[(steps > 0) & (steps <= HOLE)]
    usual = float(np.median(steps)) if len(steps) else INTERVAL
    edges = sorted({*edges, *_excursions(stamps.starts, edges, usual)})
    found = []
    for number, (a, b) in enumerate(pairwise(edges)):
        starts, lengths = stamps.starts[a:b], stamps.lengths[a:b]
        if pictures:
            lengths = _shown(starts, lengths, steps)
        places = int(stamps.places[a]), int(stamps.places[b - 1])
        found.append(Count(number, slice(a, b), starts, starts + lengths, places))
    return found


def _set_back(stamps: Stamps, pictures: bool) -> NDArray[np.intp]:
    """The packets at which the clock of a stream was set back."""
    starts = stamps.starts
    back = np.flatnonzero(starts[1:] < starts[:-1] - RESET) + 1
    if not pictures:
        return back
    # the order of storing goes back too, but only until the images between have come
    found: list[int] = []
    reached, since = -np.inf, 0
    for packet in back.tolist():
        reached, since = max(reached, float(starts[since:packet].max())), packet
        decoded = stamps.order[packet - 1 : packet + 1]
        following = starts[packet : packet + REORDERED]
        missing = reached - following.max()
        if (
            decoded[1] < decoded[0] - RESET
            or missing > HOLE
            or (missing > 0 and len(following) == REORDERED)
        ):
            found.append(packet)
            reached = -np.inf
    return np.array(found, np.intp)


def _excursions(starts: Floats, edges: list[int], usual: float) -> Iterator[int]:
    """The packets at which stamps jump ahead, only to come back to where they were.

    A damaged stamp, or a damaged one of a group of packets, is told from a pause that way.
    """
    ended = -np.inf  # stamp of the end of the count before
    for number, (a, b) in enumerate(pairwise(edges)):
        reached = np.maximum.accumulate(starts[a:b])
        ahead = starts[a + 1 : b] - reached[:-1]
        if len(ahead) and ahead.max() > RESET:
            jump = a + 1 + int(np.argmax(ahead))
            before = float(reached[jump - 1 - a])
            came_back = number + 2 < len(edges) and _follows(starts[b], before, (b - jump) * usual)
            if came_back or _follows(starts[jump], ended, (jump - a) * usual):
                yield jump
        ended = float(reached[-1])


def _follows(stamp: float, before: float, content: float) -> bool:
    """Whether a stamp is where it would be if what came between had been stamped in order."""
    return bool(-RESET <= stamp - before <= content + RESET)


def _shown(starts: Floats, stated: Floats, steps: Floats) -> Floats:
    """How long each image is shown: until the next one, unless that comes after a hole."""
    usual = float(np.median(steps)) if len(steps) else INTERVAL
    longest = max(float(steps.max(initial=0.0)), HELD)
    lengths = np.where((stated > 0) & (stated <= longest), stated, usual)
    order = np.argsort(starts, kind="stable")
    until = np.diff(starts[order])
    lengths[order[:-1]] = np.where(until <= HOLE, until, lengths[order[:-1]])
    return lengths
