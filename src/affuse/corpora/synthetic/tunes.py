"""Melodies and music, played by instruments that are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from affuse.corpora.synthetic.waves import (
    RATE,
    Array,
    chance,
    coloured,
    decay,
    envelope,
    log_uniform,
    partials,
    place,
    samples,
    seconds_of,
)

_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 6, 7, 10))
_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 4, 7, 10), (0, 5, 7), (0, 3, 6))  # semitones
_RANGE = 100.0, 2000.0  # Hz, of a melody


@dataclass(frozen=True)
class Instrument:
    """A timbre.

    Attributes:
        gains: (K,) of its partials.
        ratios: (K,) multiples of the pitch.
        attack: Seconds until a note is there.
        lasting: Seconds in which a note dies away; None where it is held.
        vibrato: Share of the pitch.
        breath: Share of noise.
    """

    gains: Array
    ratios: Array
    attack: float
    lasting: float | None = None
    vibrato: float = 0.0
    breath: float = 0.0

    @classmethod
    def random(cls, rng: np.random.Generator) -> Instrument:
        """One that is plucked, an organ, a flute or a bell."""
        kind = rng.choice(["plucked", "organ", "flute", "bell"])
        number = np.arange(1.0, rng.integers(4, 12))
        vibrato = rng.choice([0.0, rng.uniform(0.002, 0.025)])
        if kind == "plucked":
            gains = number ** -rng.uniform(0.6, 2)
            return cls(gains, number, 0.002, log_uniform(rng, 0.08, 1))
        if kind == "organ":
            pipes = np.array([0.5, 1, 2, 3, 4, 6, 8])
            return cls(rng.random(7), pipes, log_uniform(rng, 0.005, 0.08), None, vibrato)
        if kind == "flute":
            gains = number ** -rng.uniform(2, 4)
            breath = rng.uniform(0, 0.2)
            return cls(gains, number, log_uniform(rng, 0.02, 0.12), None, vibrato, breath)
        ratios = number ** rng.uniform(1.05, 1.5)
        return cls(rng.random(len(number)), ratios, 0.001, log_uniform(rng, 0.2, 1.5))

    def play(self, pitch: float, seconds: float, rng: np.random.Generator) -> Array:
        """One note, (N,)."""
        size = samples(seconds)
        shake = np.sin(2 * np.pi * rng.uniform(4, 7) * seconds_of(size))
        course = pitch * (1 + self.vibrato * shake)
        audio = partials(course, self.gains / np.sum(self.gains), rng, self.ratios)
        audio += self.breath * coloured(size, rng, -3)
        if self.lasting is not None:
            audio *= np.exp(-seconds_of(size) / self.lasting)
        return audio * envelope(size, min(self.attack, seconds / 3), min(0.02, seconds / 3))


def melody(count: int, rng: np.random.Generator) -> Array:
    """One note after the other from a scale, legato or staccato, from 100 to 2000 Hz."""
    instrument = Instrument.random(rng)
    beat, length = 1 / log_uniform(rng, 1, 8), rng.choice([1.05, rng.uniform(0.25, 0.9)])
    scale = rng.choice(len(_SCALES))
    key, degree = log_uniform(rng, 130, 800), 0
    events: list[tuple[float, Array]] = []
    time = 0.0
    while time < count / RATE:
        pitch = float(np.clip(key * _semitones(_SCALES[scale], degree), *_RANGE))
        wait = beat * rng.choice([1, 1, 1, 2, 0.5, 3])
        if chance(rng, 0.9) or not events:  # or a rest
            events.append((time, instrument.play(pitch, wait * length, rng)))
        degree = int(np.clip(degree + rng.integers(-3, 4), -7, 9))
        time += wait
    return place(count, events)


def music(count: int, rng: np.random.Generator) -> Array:
    """Chords or arpeggios with a bass and drums, some of them left out in some pieces."""
    step = 60 / rng.uniform(60, 180) / 4  # seconds of a sixteenth
    steps = int(count / RATE / step) + 1
    parts = [_chords(rng, steps, step)]
    if chance(rng, 0.7):
        parts.append(_drums(rng, steps, step))
    return sum((place(count, part) * rng.uniform(0.3, 1) for part in parts), np.zeros(count))


def _chords(rng: np.random.Generator, steps: int, step: float) -> Iterator[tuple[float, Array]]:
    upper, lower = Instrument.random(rng), Instrument.random(rng)
    key, bar = log_uniform(rng, 130, 500), int(rng.choice([4, 8, 16]))
    roots, shapes = rng.integers(-5, 8, 4), rng.integers(len(_CHORDS), size=4)
    broken, bass = chance(rng, 0.5), chance(rng, 0.7)
    for number, start in enumerate(range(0, steps, bar)):
        root, chord = int(roots[number % 4]), _CHORDS[shapes[number % 4]]
        pitches = [key * 2 ** ((root + tone) / 12) for tone in chord]
        if broken:
            for place_in_bar in range(0, bar, 2):
                pitch = pitches[place_in_bar // 2 % len(pitches)]
                yield (start + place_in_bar) * step, upper.play(pitch, 3 * step, rng)
        else:
            for pitch in pitches:
                yield start * step, upper.play(pitch, bar * step, rng)
        if bass:
            for beat in range(0, bar, 4):
                yield (start + beat) * step, lower.play(pitches[0] / 4, 4 * step, rng)


def _drums(rng: np.random.Generator, steps: int, step: float) -> Iterator[tuple[float, Array]]:
    size = samples(0.3)
    falling = rng.uniform(40, 70) * (1 + 3 * decay(size, 0.03))
    kick = partials(falling, [1.0], rng) * decay(size, rng.uniform(0.05, 0.2))
    snare = 0.3 * coloured(size, rng, -1) * decay(size, rng.uniform(0.02, 0.1))
    hat = 0.15 * coloured(size, rng, 6) * decay(size, rng.uniform(0.005, 0.05))
    for drum, often in ((kick, 0.25), (snare, 0.15), (hat, 0.5)):
        pattern = rng.random(16) < often
        for number in range(steps):
            if pattern[number % 16]:
                yield number * step, drum * rng.uniform(0.7, 1)


def _semitones(scale: tuple[int, ...], degree: int) -> float:
    """Ratio of a degree of a scale, which may be below its first, to the key."""
    octave, tone = divmod(degree, len(scale))
    return float(2 ** (octave + scale[tone] / 12))
