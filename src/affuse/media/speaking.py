"""Who of several people speaks: whose mouth moves as the sound goes up and down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affuse.media.channels import Samples
from affuse.media.mouths import RATE, MouthMotion
from affuse.media.tracks import Floats, Track

SOUND_RATE = 8000
"""Hz of the sound that is listened to."""

SECONDS = 3.0
"""Seconds of sound and mouths that are compared."""

STEP = 0.5
"""Seconds from one comparison to the next."""

STILL = 1.0
"""By how much the logarithm of the motion of a mouth exceeds that of all others, near a moment at
which there is sound, when these are still: then it is the one that speaks."""

LEAST, MARGIN = 0.6, 0.2
"""The agreement that a speaker has at least, of 3.5, and by how much it exceeds that of others
(chosen on the clips of docs/results/people.md)."""

_FLOOR = 1e-3  # of the loudness, so that silence is not all that counts
_CHANGES = 0.15  # least deviation of the logarithm of the loudness: else nobody is heard to speak
_PART = 0.6  # of the compared seconds in which a face must be seen
_NEAR = 0.75  # seconds from a moment within which mouths can be still
_HEARD = 0.1  # part of the greatest loudness from which there is sound
_LEVELS = 0.3  # of 255, below which a change of pixels is noise


class Envelope:
    """The loudness of a sound that comes part by part, `RATE` times a second."""

    def __init__(self) -> None:
        self._size = round(SOUND_RATE / RATE)
        self._left: Samples = np.zeros(0, np.float32)
        self._values: list[Floats] = []

    def push(self, samples: Samples) -> None:
        """Take samples (N,) of 8 kHz."""
        samples = np.concatenate([self._left, samples])
        count = len(samples) // self._size
        whole = samples[: count * self._size].reshape(count, self._size).astype(np.float64)
        self._values.append(np.sqrt(np.square(whole).mean(1)))
        self._left = samples[count * self._size :]

    @property
    def values(self) -> Floats:
        """(T,) root mean square, that of i / `RATE` seconds on."""
        return np.concatenate([np.zeros(0), *self._values])


@dataclass(frozen=True)
class Speaking:
    """Who speaks when.

    Attributes:
        times: (T,) seconds, `STEP` apart.
        speaker: (T,) number of the one who speaks, from 0; -1 where that is not sure, or nobody is
            heard. Where one face alone is seen, it is taken to be that one.
        several: (T,) bool, where several faces are seen.
    """

    times: Floats
    speaker: np.ndarray
    several: np.ndarray

    @property
    def unsure(self) -> float:
        """Share of the time with several faces in which it is not known who speaks."""
        count = int(self.several.sum())
        return float((self.speaker[self.several] < 0).sum() / count) if count else 0.0

    def of(self, person: int, times: Floats) -> np.ndarray:
        """(N,) bool, at which seconds (N,) the voice is that of a person."""
        nearest = np.round(times / STEP).astype(int).clip(0, max(len(self.times) - 1, 0))
        return self.speaker[nearest] == person if len(self.times) else np.zeros(len(times), bool)


def speaking(
    people: Sequence[Track], mouths: Sequence[MouthMotion | None], loudness: Floats
) -> Speaking:
    """Find out who speaks when.

    Where one mouth alone moves, it is that one. Else it is compared for every face, over three
    seconds, how much its mouth moves, how it opens, and how open it is, with how loud the sound is
    and becomes.

    Args:
        people: The people.
        mouths: How their mouths moved where several were seen.
        loudness: Of `Envelope`.
    """
    times = np.arange(0, len(loudness) / RATE, STEP)
    seen = np.array([person.at(times)[1] for person in people]).reshape(len(people), len(times))
    several = seen.sum(0) > 1
    speaker = (
        np.where(seen.sum(0) == 1, seen.argmax(0), -1) if len(people) else np.full(len(times), -1)
    )
    for k in np.flatnonzero(several).tolist():
        speaker[k] = _speaker(times[k], seen[:, k], mouths, loudness)
    return Speaking(times, speaker, several)


def _speaker(
    time: float, seen: np.ndarray, mouths: Sequence[MouthMotion | None], loudness: Floats
) -> int:
    """Who speaks about a time; -1 where that is not sure."""
    end = len(loudness) / RATE
    first = min(max(time - SECONDS / 2, 0.0), max(end - SECONDS, 0.0))
    grid = np.arange(first, min(first + SECONDS, end), 1 / RATE)
    places = np.round(grid * RATE).astype(int).clip(0, len(loudness) - 1)
    loud = _smooth(np.log(loudness[places] + _FLOOR), 3)
    if len(grid) < RATE or loud.std() < _CHANGES:
        return -1
    if (only := _only_mover(time, seen, mouths, loudness)) >= 0:
        return only
    found = [
        _agreement(mouth, grid, loud) if there and mouth is not None else -np.inf
        for there, mouth in zip(seen, mouths, strict=True)
    ]
    order = np.argsort(found)[::-1]
    best, second = found[order[0]], found[order[1]]
    return int(order[0]) if best >= LEAST and best - second >= MARGIN else -1


def _only_mover(
    time: float, seen: np.ndarray, mouths: Sequence[MouthMotion | None], loudness: Floats
) -> int:
    """Whose mouth moves about a time while those of the others are still; -1 where several do."""
    moved = np.full(len(seen), np.nan)
    for k, mouth in enumerate(mouths):
        if seen[k] and mouth is not None:
            near = np.abs(mouth.times - time) <= _NEAR
            loud = loudness[np.round(mouth.times * RATE).astype(int).clip(0, len(loudness) - 1)]
            near &= loud > _HEARD * loudness.max()
            moved[k] = np.log(mouth.motion[near] + _LEVELS).mean() if near.sum() > 2 else np.nan
    if np.isnan(moved[seen]).any():
        return -1
    order = np.argsort(np.where(seen, moved, -np.inf))[::-1]
    return int(order[0]) if moved[order[0]] - moved[order[1]] >= STILL else -1


def _agreement(mouth: MouthMotion, grid: Floats, loud: Floats) -> float:
    """How well a mouth goes with a sound, -3.5 to 3.5."""
    near = (mouth.times >= grid[0] - 1 / RATE) & (mouth.times <= grid[-1] + 1 / RATE)
    if near.sum() < _PART * len(grid):
        return -np.inf
    times = mouth.times[near]

    def on_grid(values: Floats) -> Floats:
        return np.interp(grid, times, values[near])

    motion = np.log(on_grid(mouth.motion) + _LEVELS)
    opening, contrast = on_grid(mouth.opening), on_grid(mouth.contrast)
    # how loud a sound becomes while a mouth opens is most specific
    return (
        _correlation(_smooth(motion, 3), loud)
        + 2 * _correlation(_smooth(opening, 3), np.gradient(_smooth(loud, 3)))
        + _correlation(contrast, loud) / 2
    )


def _smooth(values: Floats, count: int) -> Floats:
    ones = np.ones(count)
    return np.convolve(values, ones, "same") / np.convolve(np.ones(len(values)), ones, "same")


def _correlation(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-9 else 0.0
