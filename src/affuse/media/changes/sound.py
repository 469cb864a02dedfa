"""Sound changed as people meet it: noise, talk in the background, rooms, telephones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy import signal

from affuse.media.changes.bursts import bursts
from affuse.media.channels import Samples

_VOICES, _TALK = 8, 20.0  # people in the background, and seconds until they repeat themselves
_TELEPHONE = (300.0, 3400.0)  # Hz
_MU = 255.0
_PACKET = 0.02  # seconds that are lost together


def white_noise(sound: Samples, rate: int, snr: float, random: np.random.Generator) -> Samples:
    """Add white noise, `snr` dB below the mean power of the sound."""
    return _added(sound, random.standard_normal(len(sound), np.float32), snr)


def babble(sound: Samples, rate: int, snr: float, random: np.random.Generator) -> Samples:
    """Add the talk of eight synthetic voices, `snr` dB below the mean power of the sound."""
    talk = _talk(rate)
    first = int(random.integers(len(talk)))
    return _added(sound, np.resize(np.roll(talk, -first), len(sound)), snr)


def room(sound: Samples, rate: int, seconds: float, random: np.random.Generator) -> Samples:
    """Reverberate: the sound falls by 60 dB in so many seconds, half of its energy comes direct."""
    count = max(1, round(seconds * rate))
    tail = random.standard_normal(count) * 10 ** (-3 * np.arange(count) / count)
    tail /= np.sqrt(np.square(tail).sum())
    heard = signal.oaconvolve(sound, np.concatenate([[1.0], tail]))[: len(sound)]
    return (heard * np.sqrt(0.5)).astype(np.float32)


def telephone(sound: Samples, rate: int, bits: float, random: np.random.Generator) -> Samples:
    """Leave 300 to 3400 Hz, in so many bits of mu-law (8 in a telephone), at the same peak."""
    band = signal.butter(6, _TELEPHONE, "bandpass", fs=rate, output="sos")
    narrow = signal.sosfilt(band, sound)
    peak = float(np.abs(narrow).max(initial=1e-9))
    small = np.sign(narrow) * np.log1p(_MU * np.abs(narrow) / peak) / np.log1p(_MU)
    steps = 2 ** (bits - 1) - 1
    small = np.round(small * steps) / steps
    wide = np.sign(small) * np.expm1(np.abs(small) * np.log1p(_MU)) / _MU * peak
    return wide.astype(np.float32)


def packet_loss(sound: Samples, rate: int, share: float, random: np.random.Generator) -> Samples:
    """Silence a share of the packets of 20 ms, on average five after each other."""
    size = max(1, round(_PACKET * rate))
    lost = bursts(-(-len(sound) // size), share, 5.0, random)
    return np.where(np.repeat(lost, size)[: len(sound)], np.float32(0), sound)


def gain(sound: Samples, rate: int, decibels: float, random: np.random.Generator) -> Samples:
    """Make louder or quieter; what is louder than full scale is clipped."""
    return np.clip(sound * np.float32(10 ** (decibels / 20)), -1, 1)


def delay(sound: Samples, rate: int, seconds: float, random: np.random.Generator) -> Samples:
    """Let the sound come later, or earlier below zero; zeros stand where none is left."""
    count = round(seconds * rate)
    moved = np.zeros_like(sound)
    if abs(count) < len(sound):
        moved[max(count, 0) : len(sound) + min(count, 0)] = sound[
            max(-count, 0) : len(sound) - max(count, 0)
        ]
    return moved


def _added(sound: Samples, noise: Samples, snr: float) -> Samples:
    power, own = (
        float(np.mean(np.square(x), dtype=np.float64)) if len(x) else 0.0 for x in (sound, noise)
    )
    if not power or not own:
        return sound
    return (sound + noise * np.float32(np.sqrt(power / own * 10 ** (-snr / 10)))).astype(np.float32)


@lru_cache(maxsize=2)
def _talk(rate: int) -> Samples:
    """Several people who talk at once, (N,) float32, the same in every process."""
    import soxr

    from affuse.corpora.synthetic.voice import (
        CONSONANTS,
        SAMPLE_RATE,
        VOWELS,
        Manner,
        Speaker,
        speak,
    )

    random = np.random.default_rng(8)
    total = np.zeros(round(_TALK * SAMPLE_RATE), np.float32)
    for number in range(_VOICES):
        speaker = Speaker.random(random, female=bool(number % 2))
        said = [
            (str(random.choice([*CONSONANTS])), str(random.choice([*VOWELS]))) for _ in range(60)
        ]
        total += speak(speaker, Manner(), said, _TALK, random).audio
    return np.asarray(soxr.resample(total, SAMPLE_RATE, rate), np.float32)
