"""Sounds without a voice: what a detector of voices learns from what is no voice.

No look-alike of a corpus; it is laid out as `affuse.corpora.folder` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import signal

from affuse.corpora.folder import LICENCE_FILE, TABLE
from affuse.corpora.synthetic.acting import generator
from affuse.corpora.synthetic.encode import write_flac
from affuse.corpora.synthetic.noises import hum, knocks, machines, noise, silence
from affuse.corpora.synthetic.place import claim
from affuse.corpora.synthetic.tones import beeps, bells, birds, siren, tone
from affuse.corpora.synthetic.tunes import melody, music
from affuse.corpora.synthetic.waves import (
    RATE,
    Array,
    band,
    chance,
    coloured,
    envelope,
    log_uniform,
    samples,
    seconds_of,
)
from affuse.errors import AffuseError
from affuse.execution.executors import map_unordered
from affuse.execution.files import atomic_path, write_csv, write_text

#: Kind of sound -> what makes one of a number of samples.
KINDS: Mapping[str, Callable[[int, np.random.Generator], Array]] = {
    "silence": silence,
    "noise": noise,
    "hum": hum,
    "tone": tone,
    "siren": siren,
    "beeps": beeps,
    "melody": melody,
    "music": music,
    "knocks": knocks,
    "bells": bells,
    "birds": birds,
    "machines": machines,
}
LEVELS = -60.0, -3.0  # dB of full scale, of the peak
MOST = 999  # of each kind, as their names have three digits
README = """\
Sounds without a voice, made by affuse (affuse synth sounds).
seed {seed}, {seconds:g} s each, {rate} Hz

A folder for every kind of sound; clips.csv lists the sounds, with the kind as label and every
sound as a speaker of its own, so that they can be split like people. Nothing in here was
recorded: all is computed from the seed. It shows what is no voice; it has no emotions.
"""
LICENCE = "CC0-1.0 (generated)"

Progress = Callable[[Iterable[None], str, int], Iterable[None]]


def synthesise(
    out: Path,
    *,
    seed: int = 0,
    each: int = 40,
    seconds: float = 4.0,
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Write the sounds, or what is missing of them.

    A sound depends on seed, length, kind and number only. The table `clips.csv` lists those asked
    for, the first `each` of every kind.

    Args:
        out: Folder to make.
        seed: Draws every sound.
        each: How many of each kind, from 1 to 999.
        seconds: Length of every sound, at least 1.
        workers: Processes.
        progress: Wraps the loop over files: called with an iterable, a label and the total.

    Returns:
        How many sounds there are, those that were there before included.

    Raises:
        AffuseError: An option outside its range.
        BadInput: `out` holds something else, such as the sounds of another seed.
    """
    if not 1 <= each <= MOST:
        raise AffuseError(f"{each} of each kind: expected 1 to {MOST}")
    if seconds < 1:
        raise AffuseError(f"{seconds} s: expected at least 1")
    claim(out, README.format(seed=seed, seconds=seconds, rate=RATE), TABLE)
    write_text(out / LICENCE_FILE, f"{LICENCE}\n")
    jobs = [
        _Job(out, seed, seconds, kind, number) for kind in KINDS for number in range(1, each + 1)
    ]
    missing = [job for job in jobs if not (out / job.path).exists()]
    done = map_unordered(_write, missing, workers)
    for _ in progress(done, "synth sounds", len(missing)) if progress else done:
        pass
    rows = [(job.path.as_posix(), job.kind, job.path.stem, job.kind) for job in jobs]
    write_csv(out / TABLE, ("path", "label", "speaker", "kind"), rows)
    return len(jobs)


def sound(seed: int, kind: str, number: int, seconds: float = 4.0) -> Array:
    """One sound.

    Args:
        seed: Draws it, with its kind and number.
        kind: A key of `KINDS`.
        number: Which one of the kind.
        seconds: Its length.

    Returns:
        (round(seconds * RATE),) float32 whose peak is between the `LEVELS`; silence is below.
    """
    rng = generator(seed, kind, str(number))
    count = samples(seconds)
    audio = KINDS[kind](count, rng)
    if kind == "silence":
        return audio.astype(np.float32)
    if chance(rng, 0.2):  # two of a kind at once
        audio = _normal(audio) + rng.uniform(0.1, 1) * _normal(KINDS[kind](count, rng))
    audio = _heard(_normal(audio), rng)
    if chance(rng, 0.6):  # noise beneath
        below = coloured(count, rng, rng.uniform(-6, 0)) * 10 ** (rng.uniform(-70, -20) / 20)
        audio = _normal(audio) + below
    return (_normal(audio) * 10 ** (rng.uniform(*LEVELS) / 20)).astype(np.float32)


def _heard(audio: Array, rng: np.random.Generator) -> Array:
    """The sound as it comes to a microphone: a part of it, in a room, through a narrow line."""
    count = len(audio)
    if chance(rng, 0.3):  # from somewhere to somewhere, at least a third of it
        start, end = rng.uniform(0, 1 / 3), rng.uniform(2 / 3, 1)
        part = np.zeros(count)
        within = slice(int(start * count), int(end * count))
        size = within.stop - within.start
        part[within] = audio[within] * envelope(size, *rng.uniform(0.005, 0.5, 2))
        audio = part if np.any(part) else audio
    if chance(rng, 0.4):
        late = log_uniform(rng, 0.03, 0.4)  # seconds in which an echo falls by a factor of e
        size = samples(5 * late)
        echo = coloured(size, rng, rng.uniform(-4, 0)) * np.exp(-seconds_of(size) / late)
        wet = _normal(signal.fftconvolve(audio, echo)[:count])
        audio = audio + log_uniform(rng, 0.1, 3) * wet
    if chance(rng, 0.3):
        low = log_uniform(rng, 50, 500)
        audio = band(audio, low, log_uniform(rng, 2500, 7000))
    return audio


def _normal(audio: Array) -> Array:
    """With a peak of 1."""
    return audio / np.max(np.abs(audio))


@dataclass(frozen=True)
class _Job:
    out: Path
    seed: int
    seconds: float
    kind: str
    number: int

    @property
    def path(self) -> Path:
        """Where it lies in the folder."""
        return Path(self.kind) / f"{self.kind}-{self.number:03d}.flac"


def _write(job: _Job) -> None:
    with atomic_path(job.out / job.path) as path:
        write_flac(path, sound(job.seed, job.kind, job.number, job.seconds), RATE)
