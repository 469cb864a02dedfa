"""Sounds without a pitch, or of things that turn and strike: each from a length and a seed.

Every function takes a number of samples and a random generator and returns (count,) at `RATE`, of
whatever level; `silence` alone is as loud as it is meant to be.
"""

from __future__ import annotations

import numpy as np

from affuse.corpora.synthetic.waves import (
    RATE,
    Array,
    band,
    chance,
    coloured,
    course,
    decay,
    log_uniform,
    partials,
    place,
    rhythm,
    samples,
    seconds_of,
)

_STEP = 1 / 32767  # of 16 bits

#: What strikes -> Hz of its resonances, seconds of their decay, strikes per second (from, to),
#: share of noise and how unsteady it is.
_STRIKES = {
    "door": ((80, 600), (0.02, 0.08), (1.5, 6), 0.3, 0.1),
    "click": ((800, 6000), (0.001, 0.01), (0.5, 12), 0.3, 0.5),
    "footsteps": ((60, 1500), (0.01, 0.05), (1.2, 3.2), 0.6, 0.05),
    "claps": ((700, 2500), (0.004, 0.03), (1, 8), 0.9, 0.2),
    "typing": ((1000, 5000), (0.002, 0.015), (3, 14), 0.5, 0.7),
    "things": ((100, 6000), (0.002, 0.2), (0.5, 10), 0.4, 0.6),
}


def silence(count: int, rng: np.random.Generator) -> Array:
    """Digital zero but for some last bits, up to dither; or noise that is hardly there.

    Sounds of nothing but zeros would be copies of each other, so there is none.
    """
    if chance(rng, 0.5):
        flipped = rng.random(count) < log_uniform(rng, 1e-3, 1.0)
        return _STEP * flipped * rng.choice([-1.0, 1.0], count)
    return coloured(count, rng, rng.uniform(-6, 3)) * 10 ** (rng.uniform(-90, -72) / 20)


def noise(count: int, rng: np.random.Generator) -> Array:
    """Noise of any colour: steady, swelling to and fro, in gusts as wind and sea, or as rain."""
    slope = rng.choice([0.0, -3.0, -6.0, rng.uniform(-9, 3)])
    audio = coloured(count, rng, slope)
    way = rng.choice(["steady", "swelling", "gusts", "rain"])
    if way == "swelling":
        swell = np.sin(2 * np.pi * log_uniform(rng, 0.2, 30) * seconds_of(count))
        audio *= 1 + rng.uniform(0.2, 1) * swell
    elif way == "gusts":  # they get brighter when they get louder
        gust = course(count, rng, log_uniform(rng, 0.3, 4)) ** rng.uniform(1, 3)
        audio = 0.3 * audio + gust * coloured(count, rng, slope + rng.uniform(0, 6))
    elif way == "rain":
        drops = rng.standard_normal(count) * (rng.random(count) < log_uniform(rng, 1e-3, 0.1))
        audio = 0.1 * audio + 5 * band(drops, log_uniform(rng, 200, 2000), 7000)
    return audio


def hum(count: int, rng: np.random.Generator) -> Array:
    """The mains, a fan, or an engine that runs unevenly and revs."""
    source = rng.choice(["mains", "fan", "engine"])
    if source == "mains":
        pitch, drift = rng.choice([50.0, 60.0]), 0.0
    elif source == "fan":
        pitch, drift = log_uniform(rng, 60, 400), rng.uniform(0, 0.03)
    else:
        pitch, drift = log_uniform(rng, 20, 150), log_uniform(rng, 0.03, 1)
    turning = pitch * (1 + drift * course(count, rng, log_uniform(rng, 0.3, 8)))
    audio = partials(turning, _buzz(rng), rng)
    rough = coloured(count, rng, rng.uniform(-6, 0)) * rng.uniform(0, 0.5)
    if source == "engine":  # every stroke is a burst
        rough *= 1 + np.sin(2 * np.pi * np.cumsum(turning) / RATE)
    return audio / audio.std() + rough


def knocks(count: int, rng: np.random.Generator) -> Array:
    """Knocks, clicks, footsteps, claps, typing: short resonances, steady or not."""
    pitches, decays, rates, hiss, unsteady = _STRIKES[rng.choice(list(_STRIKES))]
    body = [log_uniform(rng, *pitches) for _ in range(rng.integers(2, 7))]
    length = log_uniform(rng, *decays)
    spread, louder = rng.uniform(0, 0.15), rng.uniform(0, 0.8)

    def strike() -> Array:
        size = samples(8 * length)
        own = np.array(body) * rng.normal(1, spread / 2)
        ring = partials(np.ones(size), rng.random(len(body)), rng, ratios=own)
        burst = coloured(size, rng, rng.uniform(-4, 0)) * hiss
        return (ring + burst) * decay(size, length) * rng.uniform(1 - louder, 1)

    times = rhythm(count, rng, log_uniform(rng, *rates), unsteady * rng.random())
    return place(count, ((time, strike()) for time in times))


def machines(count: int, rng: np.random.Generator) -> Array:
    """A printer, a saw, a drill, a washing machine: parts that all turn at one rate."""
    rate = log_uniform(rng, 0.5, 25) * (1 + rng.uniform(0, 0.1) * course(count, rng, 1.0))
    turn = np.cumsum(rate) / RATE % 1.0
    audio = coloured(count, rng, rng.uniform(-6, 0)) * rng.uniform(0, 0.2)
    for _ in range(rng.integers(2, 5)):
        if chance(rng, 0.5):
            low = log_uniform(rng, 60, 4000)
            part = band(rng.standard_normal(count), low, low * rng.uniform(1.2, 4))
        else:
            whine = rng.uniform(0, 0.3) * course(count, rng, 2.0)
            part = partials(log_uniform(rng, 60, 1500) * (1 + whine), _buzz(rng), rng)
        knots = rng.random(rng.integers(3, 16)) ** rng.uniform(1, 6)
        knots = np.append(knots, knots[0])
        audio += part / part.std() * np.interp(turn, np.linspace(0, 1, len(knots)), knots)
    return audio


def _buzz(rng: np.random.Generator) -> Array:
    """Gains of up to 30 harmonics, (K,)."""
    number = np.arange(1, rng.integers(2, 31))
    return rng.uniform(0.2, 1, len(number)) * number ** -rng.uniform(0.3, 2)
