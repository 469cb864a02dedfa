"""Recordings changed as people meet them: noise, talk in the background, rooms, telephones."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from scipy import signal

from affuse.errors import AffuseError
from affuse.media.channels import Samples
from affuse.registry import Entry, Registry

#: How a sound (N,) at a rate in Hz is changed by so much; the generator draws the rest.
SoundChange = Callable[[Samples, int, float, np.random.Generator], Samples]

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


CHANGES: Registry[Entry] = Registry(
    "change",
    {
        name: Entry(f"affuse.media.changes:{does}", means, {"low": low, "high": high})
        for name, does, low, high, means in (
            ("white-noise", "white_noise", -20.0, 60.0, "white noise, dB below the sound"),
            ("babble", "babble", -20.0, 60.0, "eight voices that talk, dB below the sound"),
            ("room", "room", 0.01, 10.0, "reverberation, seconds until it falls by 60 dB"),
            ("telephone", "telephone", 2.0, 16.0, "300 to 3400 Hz, bits of mu-law"),
            ("packet-loss", "packet_loss", 0.0, 1.0, "share of packets of 20 ms lost in bursts"),
            ("gain", "gain", -60.0, 40.0, "dB louder, clipped at full scale"),
        )
    },
    group="affuse.changes",
    listed_by="affuse list changes",
)


def limits(name: str) -> tuple[float, float]:
    """The least and the greatest value of a change."""
    given = CHANGES[name].arguments
    return given.get("low", -math.inf), given.get("high", math.inf)


@dataclass(frozen=True)
class Change:
    """One change, or one of some strength between two, drawn for each clip.

    Args:
        name: In `CHANGES`.
        low: Least value.
        high: Greatest value.
    """

    name: str
    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> Change:
        """A change as typed: `white-noise=5`, or `white-noise=0:20`.

        Raises:
            AffuseError: There is no such change, or no such value.
        """
        name, _, value = text.partition("=")
        entry = CHANGES[name]
        low, high = limits(name)
        try:
            first, *rest = [float(part) for part in value.split(":")]
            (last,) = rest or [first]
        except ValueError:
            first, last = math.nan, math.nan
        if not low <= first <= last <= high:
            raise AffuseError(
                f"change {text}: expected {name}=VALUE or {name}=LOW:HIGH, from {low:g} to "
                f"{high:g} ({entry.describe()})"
            )
        return cls(name, first, last)

    def __str__(self) -> str:
        return f"{self.name}={self.low:g}" + (f":{self.high:g}" if self.high > self.low else "")


def change_of(changes: Sequence[Change], clip: str) -> Callable[[Samples, int], Samples]:
    """What some changes, one after the other, do to the sound of a clip.

    Args:
        changes: Where there is a choice, the id of the clip alone decides.
        clip: Its id.

    Returns:
        (N,) float32 and its rate in Hz -> (N,) float32.
    """
    return partial(_changed, changes, clip)


def _changed(changes: Sequence[Change], clip: str, sound: Samples, rate: int) -> Samples:
    for change in changes:
        random = np.random.default_rng(zlib.crc32(f"{change} {clip}".encode()))
        value = float(random.uniform(change.low, change.high))
        does: SoundChange = CHANGES[change.name].load()
        sound = does(sound, rate, value, random)
    return sound


def bursts(count: int, share: float, length: float, random: np.random.Generator) -> np.ndarray:
    """Which of some things in a row are lost, (count,) bool: a share of them, in bursts.

    Args:
        count: How many there are.
        share: Of them, from 0 to 1, on average.
        length: Mean length of a burst, at least.
        random: Draws them.
    """
    if share in (0, 1):
        return np.full(count, bool(share))
    ends = min(1 / length, (1 - share) / share)  # longer ones where nearly all is lost
    begins = ends * share / (1 - share)
    now = random.random() < share
    draws, lost = random.random(count), np.zeros(count, bool)
    for k in range(count):
        lost[k] = now
        now = draws[k] < begins if not now else draws[k] >= ends
    return lost


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
