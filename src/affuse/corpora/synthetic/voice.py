"""A talking voice: a glottal pulse train and breath, shaped by the formants of each vowel.

Source and filter (Fant 1960; pulse shape KLGLOTT88, Klatt and Klatt 1990), the filter applied
frame by frame to the short-time spectrum so that formants glide. What is said is a row of
syllables, each a consonant and a vowel; how it is said is a `Manner`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.floating[Any]]

SAMPLE_RATE = 48_000  # Hz, of what comes out
SOURCE_RATE = 24_000  # Hz, of the synthesis
FRAME_RATE = 200  # Hz, of formants, pitch and mouth
HOP = SOURCE_RATE // FRAME_RATE
WINDOW = 4 * HOP

# First three formants (Hz) of an adult man, after Peterson and Barney (1952), and mouth opening.
VOWELS: dict[str, tuple[float, float, float, float]] = {
    "i": (270, 2290, 3010, 0.35),
    "a": (730, 1090, 2440, 1.0),
    "o": (570, 840, 2410, 0.8),
    "@": (500, 1500, 2500, 0.5),
}
# Centre and width (Hz) of the noise, how loud it is and how loud the voice is meanwhile.
CONSONANTS: dict[str, tuple[float, float, float, float]] = {
    "k": (1800, 900, 0.5, 0.0),
    "t": (3800, 1500, 0.5, 0.0),
    "s": (6500, 1600, 0.5, 0.0),
    "b": (600, 500, 0.15, 0.1),
    "d": (3000, 1500, 0.2, 0.1),
    "z": (6000, 1800, 0.25, 0.3),
}

Syllable = tuple[str, str]


@dataclass(frozen=True)
class Speaker:
    """One actor's own voice."""

    pitch: float = 120.0  # Hz
    formants: float = 1.0  # factor; a shorter vocal tract raises it
    tempo: float = 4.0  # syllables per second
    breath: float = 0.06
    tilt: float = 0.0  # dB per octave above 500 Hz

    @classmethod
    def random(cls, rng: np.random.Generator, *, female: bool) -> Speaker:
        """Draw an actor."""
        return cls(
            pitch=float((195.0 if female else 115.0) * 2 ** rng.uniform(-0.17, 0.17)),
            formants=float((1.15 if female else 1.0) * rng.uniform(0.95, 1.05)),
            tempo=float(rng.uniform(3.7, 4.7)),
            breath=float(rng.uniform(0.03, 0.09)),
            tilt=float(rng.uniform(-1.0, 1.0)),
        )


@dataclass(frozen=True)
class Manner:
    """How something is said, as a difference from the speaker's neutral voice."""

    pitch: float = 0.0  # semitones
    range: float = 0.0  # semitones of melody, added to a neutral 1.5
    level: float = 0.0  # dB
    tilt: float = 0.0  # dB per octave, negative is duller
    breath: float = 0.0  # share of noise in the voice
    tremor: float = 0.0  # semitones, at about 6 Hz
    press: float = 0.0  # 1: short, hard glottal pulses
    rate: float = 0.0  # share by which speech is faster

    def __add__(self, other: Manner) -> Manner:
        return Manner(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, strength: float) -> Manner:
        return Manner(*(getattr(self, f.name) * strength for f in fields(self)))


@dataclass(frozen=True)
class Utterance:
    """What a voice said.

    Attributes:
        audio: (N,) float32 mono at SAMPLE_RATE, within -1 .. 1.
        mouth: (M,) float32 at FRAME_RATE, how far speech opens the mouth, 0 .. 1. It follows
            the syllables, not the loudness, so that it tells no more of the manner than its rate.
    """

    audio: Array
    mouth: Array


@dataclass(frozen=True)
class _Sound:
    """One syllable in time, in seconds."""

    start: float
    vowel_start: float
    end: float
    consonant: str
    vowel: str


def speak(
    speaker: Speaker,
    manner: Manner,
    syllables: Sequence[Syllable],
    seconds: float,
    rng: np.random.Generator,
) -> Utterance:
    """Say a statement, again and again if there is time left.

    Args:
        speaker: Whose voice.
        manner: How.
        syllables: Pairs of a key of CONSONANTS and a key of VOWELS.
        seconds: Length of the recording; about 0.2 s of silence on either side included.
        rng: Where timing, melody and noise come from.

    Returns:
        The recording, `round(seconds * SAMPLE_RATE)` samples, and the mouth that goes with it.
    """
    sounds = list(_timing(speaker.tempo * (1 + manner.rate), syllables, seconds, rng))
    frames = int(np.ceil(seconds * FRAME_RATE)) + 1
    times = np.arange(frames) / FRAME_RATE
    pitch = speaker.pitch * 2 ** (_melody(manner, sounds, times, rng) / 12)
    samples = (frames - 1) * HOP
    pulses, puffs = _glottis(
        np.interp(np.arange(samples) / HOP, np.arange(frames), pitch), manner.press, rng
    )
    breath = np.clip(speaker.breath + manner.breath, 0.0, 0.8)
    hiss = rng.standard_normal(samples)
    voice = (1 - breath) * pulses + breath * 0.7 * puffs * hiss
    spectrum = _analyse(voice)
    spectrum *= _tract(speaker, sounds, times) * _loudness(sounds, times)
    spectrum *= _tilt(speaker.tilt + manner.tilt)
    spectrum += _analyse(hiss) * _consonants(sounds, times)
    audio = _synthesise(spectrum, samples)
    audio *= 0.06 * 10 ** (manner.level / 20) / max(float(np.sqrt(np.mean(audio**2))), 1e-9)
    audio = signal.resample_poly(audio, SAMPLE_RATE // SOURCE_RATE, 1)
    audio = audio[: round(seconds * SAMPLE_RATE)]
    audio = audio + 2e-4 * rng.standard_normal(len(audio))  # the room is never silent
    return Utterance(np.tanh(audio).astype(np.float32), _mouth(sounds, times))


def _timing(
    tempo: float, syllables: Sequence[Syllable], seconds: float, rng: np.random.Generator
) -> Iterator[_Sound]:
    """Place syllables from about 0.2 s on until about 0.2 s before the end."""
    time = rng.uniform(0.15, 0.3)
    last = seconds - rng.uniform(0.15, 0.25)
    pause_after = int(rng.integers(2, len(syllables) + 1))
    while True:
        for index, (consonant, vowel) in enumerate(syllables, 1):
            length = rng.uniform(0.8, 1.2) / tempo
            if time + length > last:
                return
            yield _Sound(time, time + 0.35 * length, time + length, consonant, vowel)
            time += length
            if index == pause_after:
                time += rng.uniform(0.05, 0.2)
        time += rng.uniform(0.3, 0.4)


def _melody(
    manner: Manner, sounds: Sequence[_Sound], times: Array, rng: np.random.Generator
) -> Array:
    """Pitch over time in semitones above the speaker's own."""
    span = max(1.5 + manner.range, 0.3)
    accents = rng.uniform(-0.5, 0.5, len(sounds) + 2)
    knots = [0.0, *(0.5 * (s.vowel_start + s.end) for s in sounds), float(times[-1]) + 1e-3]
    melody = span * (np.interp(times, knots, accents) + 0.35 - 0.7 * times / times[-1])
    rate, phase = rng.uniform(5.5, 6.5), rng.uniform(0, 2 * np.pi)
    tremor = manner.tremor * np.sin(2 * np.pi * rate * times + phase)
    jitter = rng.normal(0.0, 0.1 + 0.3 * max(manner.press, 0.0), len(times))
    return _smooth(manner.pitch + melody + tremor, 9) + jitter


def _glottis(pitch: Array, press: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Flow derivative (unit RMS) and flow (0 .. 1) of the glottis for a pitch in Hz per sample."""
    phase = (np.cumsum(pitch) / SOURCE_RATE + rng.random()) % 1.0
    open_share = 0.62 - 0.22 * min(max(press, 0.0), 1.5)
    p = np.where(phase < open_share, phase / open_share, 0.0)
    pulses = 2 * p - 3 * p * p
    flow = 6.75 * p * p * (1 - p)
    return pulses / np.sqrt(np.mean(pulses**2)), 0.25 + 0.75 * flow


def _frequencies() -> Array:
    return np.fft.rfftfreq(WINDOW, 1 / SOURCE_RATE)


def _analyse(samples: Array) -> NDArray[np.complex128]:
    """Short-time spectrum (frames, bins), frames centred on multiples of HOP."""
    padded = np.pad(samples, WINDOW // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return np.fft.rfft(frames * np.sqrt(signal.windows.hann(WINDOW, sym=False)))


def _synthesise(spectrum: NDArray[np.complex128], samples: int) -> Array:
    """Overlap-add the inverse of `_analyse`."""
    frames = np.fft.irfft(spectrum, WINDOW) * np.sqrt(signal.windows.hann(WINDOW, sym=False))
    out = np.zeros(((len(frames) + WINDOW // HOP - 1), HOP))
    for part in range(WINDOW // HOP):
        out[part : part + len(frames)] += frames[:, part * HOP : (part + 1) * HOP]
    return out.reshape(-1)[WINDOW // 2 : WINDOW // 2 + samples] / 2


def _tract(speaker: Speaker, sounds: Sequence[_Sound], times: Array) -> NDArray[np.complex128]:
    """Response of the vocal tract (frames, bins): five resonators in cascade (Klatt 1980)."""
    neutral = VOWELS["@"]
    knots, targets = [0.0], [neutral]
    for sound in sounds:
        knots += [sound.vowel_start + 0.02, sound.end - 0.02]
        targets += [VOWELS[sound.vowel]] * 2
    delay = np.exp(-2j * np.pi * _frequencies() / SOURCE_RATE)
    response = np.ones((len(times), len(delay)), complex)
    for number, bandwidth in enumerate((70, 100, 150, 220, 300)):
        if number < 3:
            formant = np.interp(times, knots, [target[number] for target in targets])
        else:
            formant = np.full(len(times), 3500.0 + 1000.0 * (number - 3))
        formant = np.minimum(formant * speaker.formants, 0.45 * SOURCE_RATE)
        radius = np.exp(-np.pi * bandwidth / SOURCE_RATE)
        b = (2 * radius * np.cos(2 * np.pi * formant / SOURCE_RATE))[:, None]
        c = -radius * radius
        response *= (1 - b - c) / (1 - b * delay - c * delay**2)
    return response


def _loudness(sounds: Sequence[_Sound], times: Array) -> Array:
    """How loud the voice is (frames, 1), 0 .. 1."""
    level = np.zeros(len(times))
    for sound in sounds:
        level[_span(sound.start, sound.vowel_start)] = CONSONANTS[sound.consonant][3]
        level[_span(sound.vowel_start, sound.end)] = 1.0
    return _smooth(level, 7)[:, None]


def _consonants(sounds: Sequence[_Sound], times: Array) -> Array:
    """Gain of the noise for each frame and bin: bursts of stops, hiss of fricatives."""
    gain = np.zeros((len(times), len(_frequencies())))
    for sound in sounds:
        centre, width, loud, _ = CONSONANTS[sound.consonant]
        is_stop = sound.consonant in "ktbd"
        start = sound.vowel_start - 0.025 if is_stop else sound.start
        band = np.exp(-0.5 * ((_frequencies() - centre) / width) ** 2)
        gain[_span(start, sound.vowel_start)] += loud * band
    return gain


def _tilt(decibels: float) -> Array:
    """Gain of each bin for a slope in dB per octave above 500 Hz."""
    octaves = np.log2(np.maximum(_frequencies(), 500.0) / 500.0)
    return 10 ** (decibels * octaves / 20)


def _mouth(sounds: Sequence[_Sound], times: Array) -> Array:
    """How far each syllable opens the mouth, (frames,) float32, the widest at 1."""
    knots, opening = [max(sound.start - 0.1, 0.0) for sound in sounds[:1]] or [0.0], [0.0]
    for sound in sounds:
        middle = 0.5 * (sound.vowel_start + sound.end)
        knots += [sound.start, middle, sound.end]
        opening += [0.1, VOWELS[sound.vowel][3], 0.1]
    knots += [knots[-1] + 0.1]
    opening += [0.0]
    smooth = _smooth(np.interp(times, knots, opening), 13)
    return (smooth / max(float(smooth.max()), 1e-6)).astype(np.float32)


def _span(start: float, end: float) -> slice:
    return slice(round(start * FRAME_RATE), round(end * FRAME_RATE))


def _smooth(track: Array, frames: int) -> Array:
    """Smooth with a Hann window of an odd number of frames, ends held."""
    window = signal.windows.hann(frames + 2)[1:-1]
    padded = np.pad(track, frames // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="valid")
