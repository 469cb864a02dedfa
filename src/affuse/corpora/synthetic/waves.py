"""What generated sounds are built of: noise, partials, resonances, and their courses in time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.floating[Any]]

RATE = 16_000  # Hz
_HIGHEST = 0.475 * RATE  # Hz; partials above are left out


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number of which every octave between two limits is as likely as any other."""
    return float(low * (high / low) ** rng.random())


def chance(rng: np.random.Generator, share: float) -> bool:
    """True in a share of all cases."""
    return bool(rng.random() < share)


def seconds_of(count: int) -> Array:
    """Time of every sample in seconds, (count,)."""
    return np.arange(count) / RATE


def course(count: int, rng: np.random.Generator, rate: float) -> Array:
    """A random course from 0 to 1 that takes a new direction `rate` times a second, (count,)."""
    knots = rng.random(int(count / RATE * rate) + 3)
    return np.interp(seconds_of(count) * rate, np.arange(len(knots)), knots)


def coloured(count: int, rng: np.random.Generator, slope: float) -> Array:
    """Noise of unit RMS whose power falls or rises by `slope` dB per octave above 30 Hz, (count,).

    0 is white, -3 pink and -6 brown.
    """
    octaves = np.log2(np.maximum(np.fft.rfftfreq(count, 1 / RATE), 30.0) / 1000.0)
    spectrum = np.fft.rfft(rng.standard_normal(count)) * 10 ** (slope * octaves / 20)
    audio = np.fft.irfft(spectrum, count)
    return audio / np.sqrt(np.mean(audio**2))


def band(audio: Array, low: float, high: float) -> Array:
    """What lies between two frequencies in Hz, with soft edges."""
    high = min(high, _HIGHEST)
    filtered: Array = signal.sosfilt(
        signal.butter(2, [min(low, high / 1.1), high], "bandpass", fs=RATE, output="sos"), audio
    )
    return filtered


def partials(
    pitch: Array,
    gains: Sequence[float] | Array,
    rng: np.random.Generator,
    ratios: Sequence[float] | Array | None = None,
) -> Array:
    """A sum of sines above a pitch that may glide.

    Args:
        pitch: (N,) Hz.
        gains: (K,).
        rng: Draws their phases.
        ratios: (K,) multiples of the pitch; 1, 2, 3 and so on by default.

    Returns:
        (N,), without what would be too high for the sample rate.
    """
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    audio = np.zeros(len(pitch))
    for ratio, gain in zip(
        np.arange(1, len(gains) + 1) if ratios is None else ratios, gains, strict=True
    ):
        sine = np.sin(ratio * phase + rng.uniform(0, 2 * np.pi))
        audio += gain * np.where(ratio * pitch < _HIGHEST, sine, 0.0)
    return audio


def envelope(count: int, attack: float, release: float) -> Array:
    """A rise from 0 to 1 and a fall back to 0, in seconds, (count,)."""
    times = seconds_of(count)
    return np.minimum(1, np.minimum(times / attack, times[::-1] / release))


def decay(count: int, seconds: float) -> Array:
    """A fall from 1 by a factor of e in some seconds, without a click at either end, (count,)."""
    return np.exp(-seconds_of(count) / seconds) * envelope(count, 0.0005, 0.005)


def rhythm(count: int, rng: np.random.Generator, rate: float, unsteady: float) -> Array:
    """Times in seconds within a sound, `rate` per second; the first half has one.

    Args:
        count: Samples of the sound.
        rng: Draws them.
        rate: Per second.
        unsteady: 0 for a metronome, 1 for raindrops.
    """
    seconds = count / RATE
    waits = rng.exponential(1.0, int(2 * seconds * rate) + 1)
    first = rng.uniform(0, min(1 / rate, 0.5 * seconds))
    times = first + np.append(0.0, np.cumsum((1 - unsteady + unsteady * waits) / rate))
    within: Array = times[times < seconds]
    return within


def place(count: int, events: Iterable[tuple[float, Array]]) -> Array:
    """Sounds that begin at some seconds, added up; what is after the end is cut, (count,)."""
    audio = np.zeros(count)
    for seconds, part in events:
        start = round(seconds * RATE)
        audio[start : start + len(part)] += part[: max(count - start, 0)]
    return audio


def samples(seconds: float) -> int:
    """Samples in some seconds, at least 2."""
    return max(round(seconds * RATE), 2)
