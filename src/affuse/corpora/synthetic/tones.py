"""Sounds with a pitch that no throat makes: each from a length and a seed.

Every function takes a number of samples and a random generator and returns (count,) at `RATE`, of
whatever level.
"""

from __future__ import annotations

import numpy as np

from affuse.corpora.synthetic.waves import (
    RATE,
    Array,
    chance,
    decay,
    envelope,
    log_uniform,
    partials,
    place,
    rhythm,
    samples,
    seconds_of,
)

_DIALS = ((350, 440), (425,), (400, 450), (480, 620), (440, 480))  # Hz
_KEYS = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))  # Hz, of a telephone
#: Of a church bell's partials, the prime at 1.
_BELL = np.array([0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.2, 5.4])


def tone(count: int, rng: np.random.Generator) -> Array:
    """Pure and complex tones, dial tones, the keys of a telephone, sweeps and chirps."""
    way = rng.choice(["steady", "dial", "keys", "sweep", "chirps"])
    still = np.ones(count)
    if way == "steady":
        return partials(log_uniform(rng, 50, 6000) * still, _harmonics(rng), rng)
    if way == "dial":
        pitches = _DIALS[rng.integers(len(_DIALS))]
        audio = partials(still, np.ones(len(pitches)), rng, ratios=pitches)
        rate, share = log_uniform(rng, 0.3, 3), rng.uniform(0.3, 1)
        return audio * _on(seconds_of(count) * rate % 1.0, share)
    if way == "keys":
        rate = log_uniform(rng, 1, 8)
        size = samples(rng.uniform(0.3, 0.9) / rate)
        return place(count, ((at, _key(size, rng)) for at in rhythm(count, rng, rate, 0.2)))
    low, high = sorted(log_uniform(rng, 50, 7000) for _ in range(2))
    turns = seconds_of(count) * log_uniform(rng, 1, 20)
    along = turns % 1.0 if way == "chirps" else np.linspace(0, 1, count)
    along = 1 - along if chance(rng, 0.5) else along
    audio = partials(low * (high / low) ** along, _harmonics(rng), rng)
    return audio * _on(turns % 1.0, rng.uniform(0.3, 0.95)) if way == "chirps" else audio


def siren(count: int, rng: np.random.Generator) -> Array:
    """Two tones in turn, a wail, a yelp, or an alarm clock."""
    way = rng.choice(["two tones", "wail", "yelp", "clock"])
    low = log_uniform(rng, 300, 1000)
    times = seconds_of(count) + rng.uniform(0, 10)
    if way == "clock":
        beeps = _on(times * log_uniform(rng, 6, 16) % 1.0, 0.5)
        groups = _on(times * log_uniform(rng, 0.7, 2) % 1.0, rng.uniform(0.4, 0.8))
        return partials(np.full(count, 3 * low), _harmonics(rng), rng) * beeps * groups
    rates = {"two tones": (0.4, 2), "wail": (0.1, 0.5), "yelp": (1.5, 6)}
    turn = times * log_uniform(rng, *rates[way]) % 1.0
    if way == "two tones":
        pitch = low * np.where(turn < 0.5, 1.0, rng.uniform(1.15, 1.6))
    else:
        rise = rng.uniform(0.2, 0.9)
        pitch = low * rng.uniform(1.5, 3.5) ** np.interp(turn, [0, rise, 1], [0, 1, 0])
    return partials(pitch, _harmonics(rng), rng)


def beeps(count: int, rng: np.random.Generator) -> Array:
    """Short beeps at any rate, of one pitch or of several."""
    rate, gains = log_uniform(rng, 0.6, 20), _harmonics(rng)
    pitches = [log_uniform(rng, 250, 5000) for _ in range(rng.integers(1, 4))]
    size = samples(rng.uniform(0.1, 0.9) / rate)
    shape = envelope(size, 0.003, log_uniform(rng, 0.003, 0.1))
    beep = [partials(np.full(size, pitch), gains, rng) * shape for pitch in pitches]
    times = rhythm(count, rng, rate, rng.choice([0.0, rng.random()]))
    skipped = rng.random(len(times)) < rng.uniform(0, 0.4)
    skipped[0] = False
    turns = zip(times, skipped, strict=True)
    return place(
        count, ((at, beep[n % len(beep)]) for n, (at, skip) in enumerate(turns) if not skip)
    )


def bells(count: int, rng: np.random.Generator) -> Array:
    """Bells, glasses and chimes: partials in no simple ratio, high ones die away first."""
    ratios = _BELL * rng.normal(1, rng.uniform(0, 0.1), len(_BELL))
    gains, length = rng.random(len(_BELL)), log_uniform(rng, 0.15, 3)
    pitches = [log_uniform(rng, 200, 2500) for _ in range(rng.integers(1, 5))]

    def strike() -> Array:
        pitch, size = rng.choice(pitches), samples(min(5 * length, count / RATE))
        audio = np.zeros(size)
        for ratio, gain in zip(ratios, gains, strict=True):
            one = partials(np.full(size, pitch), [gain], rng, ratios=[ratio])
            audio += one * decay(size, length / ratio)
        return audio * rng.uniform(0.3, 1)

    times = rhythm(count, rng, log_uniform(rng, 0.4, 5), rng.random())
    return place(count, ((time, strike()) for time in times))


def birds(count: int, rng: np.random.Generator) -> Array:
    """One or several birds, each with a motif of fast chirps between 2 and 7 kHz."""
    audio = np.zeros(count)
    for _ in range(rng.integers(1, 4)):
        motif = [_chirp(rng) for _ in range(rng.integers(1, 7))]
        gap = log_uniform(rng, 0.01, 0.2)
        starts = np.cumsum([0.0, *(len(chirp) / RATE + gap for chirp in motif)])
        call = place(samples(starts[-1]), zip(starts, motif, strict=False))
        times = rhythm(count, rng, rng.uniform(0.3, 1) / starts[-1], rng.random())
        audio += place(count, ((at, call) for at in times)) * rng.uniform(0.2, 1)
    return audio


def _chirp(rng: np.random.Generator) -> Array:
    size = samples(log_uniform(rng, 0.03, 0.25))
    middle, along = log_uniform(rng, 2200, 6000), np.linspace(-1, 1, size)
    bend, arch = rng.uniform(-0.3, 0.3, 2)
    trill = rng.choice([0.0, rng.uniform(0, 0.1)]) * np.sin(
        2 * np.pi * rng.uniform(20, 60) * seconds_of(size)
    )
    pitch = np.clip(middle * 2 ** (bend * along + arch * along**2 + trill), 2000, 7000)
    return partials(pitch, [1.0, rng.uniform(0, 0.2)], rng) * np.hanning(size)


def _key(size: int, rng: np.random.Generator) -> Array:
    pair = [rng.choice(group) for group in _KEYS]
    return partials(np.ones(size), [1.0, 1.0], rng, ratios=pair) * envelope(size, 0.004, 0.004)


def _harmonics(rng: np.random.Generator) -> Array:
    """Gains of a pure tone, or of up to 12 harmonics, all or the odd ones, (K,)."""
    if chance(rng, 0.4):
        return np.ones(1)
    number = np.arange(1, rng.integers(3, 13))
    gains = number ** -rng.uniform(0.5, 2.5)
    return gains * (number % 2) if chance(rng, 0.4) else gains


def _on(turn: Array, share: float) -> Array:
    """1 in the first share of every turn (0 .. 1) and 0 in the rest, with soft edges."""
    return np.clip(np.minimum(turn, share - turn) * 50, 0, 1)
