"""A synthetic look-alike of RAVDESS speech, in the publisher's layout.

RAVDESS: Livingstone and Russo 2018, PLoS ONE 13(5), e0196391. Nothing of it is in here: voices
are synthesised and faces are one public-domain photograph (see `voice` and `portrait`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import product
from pathlib import Path

from affuse.corpora.ravdess import CLASSES, SYNTHETIC
from affuse.corpora.synthetic.acting import Actor, act, generator
from affuse.corpora.synthetic.encode import write_video, write_wav
from affuse.corpora.synthetic.face import FRAME_HEIGHT, FRAME_WIDTH
from affuse.corpora.synthetic.performance import draw
from affuse.corpora.synthetic.place import claim
from affuse.corpora.synthetic.portrait import photograph
from affuse.corpora.synthetic.voice import SAMPLE_RATE, speak
from affuse.errors import AffuseError
from affuse.execution.executors import map_unordered
from affuse.execution.files import atomic_path

SUFFIXES = {"01": ".mp4", "02": ".mp4", "03": ".wav"}  # sound and vision, vision, sound
STATEMENTS = {
    1: "ki za to ki ba d@ do",  # Kids are talking by the door
    2: "do za si ti ba d@ do",  # Dogs are sitting by the door
}
README = (
    f"{SYNTHETIC}\n"
    + """\
seed {seed}, {seconds:g} s per clip, {fps} frames per second

Folders and file names follow RAVDESS (Livingstone and Russo 2018):
modality-channel-emotion-intensity-statement-repetition-actor. Nothing in here was recorded from
an actor. The voices are synthesised (glottal pulses, breath and formants). The faces are one
photograph, NASA's portrait of Eileen Collins as bundled with scikit-image, warped and coloured.
By construction the voice tells four groups of two emotions and the face four others, so that
either alone is right half of the time at best; how well a model does here says nothing about how
well it does on people.

Licence: the photograph is in the public domain (NASA); all else here is CC0 1.0.
"""
)

Progress = Callable[[Iterable[None], str, int], Iterable[None]]


@dataclass(frozen=True)
class Clip:
    """One file of the look-alike; the fields are those of its name."""

    modality: str
    emotion: int
    intensity: int
    statement: int
    repetition: int
    actor: int

    @property
    def take(self) -> str:
        """The name without the modality: files of one take show and say the same."""
        numbers = (self.emotion, self.intensity, self.statement, self.repetition, self.actor)
        return "-".join(["01", *(f"{number:02d}" for number in numbers)])

    @property
    def path(self) -> Path:
        """Where it lies in the corpus."""
        name = f"{self.modality}-{self.take}{SUFFIXES[self.modality]}"
        return Path(f"Actor_{self.actor:02d}") / name


def synthesise(
    out: Path,
    *,
    seed: int = 0,
    actors: Sequence[int] = range(1, 25),
    intensities: Sequence[int] = (1, 2),
    statements: Sequence[int] = (1, 2),
    repetitions: Sequence[int] = (1, 2),
    modalities: Sequence[str] = ("01",),
    seconds: float = 2.4,
    fps: float = 30000 / 1001,
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Write the corpus, or what is missing of it; a file depends on the seed and its name only.

    Args:
        out: Folder to make.
        seed: Draws the actors and every take.
        actors: Numbers, odd ones male and even ones female.
        intensities: 1 normal, 2 strong; neutral has only the first.
        statements: 1 or 2.
        repetitions: 1 or 2.
        modalities: "01" sound and vision, "02" vision alone, "03" sound alone.
        seconds: Length of every clip, at least 1.
        fps: Frames per second, kept as the nearest fraction (30000/1001).
        workers: Processes.
        progress: Wraps the loop over files: called with an iterable, a label and the total.

    Returns:
        How many files the corpus has, those that were there before included.

    Raises:
        AffuseError: An option outside its range, or scikit-image is needed and not installed.
        BadInput: `out` holds something else, such as the corpus of another seed.
    """
    chosen = (actors, intensities, statements, repetitions)
    for numbers, highest in zip(chosen, (99, 2, 2, 2), strict=True):
        if not numbers or not all(1 <= number <= highest for number in numbers):
            raise AffuseError(f"{list(numbers)}: expected numbers from 1 to {highest}")
    if not modalities or not set(modalities) <= set(SUFFIXES):
        raise AffuseError(f"{list(modalities)}: expected modalities among {list(SUFFIXES)}")
    if seconds < 1 or fps < 1:
        raise AffuseError(f"{seconds} s at {fps} frames per second: expected at least 1 of each")
    rate = Fraction(fps).limit_denominator(1001)
    if set(modalities) & {"01", "02"}:
        photograph()  # before anything is written
    claim(out, README.format(seed=seed, seconds=seconds, fps=rate), "Actor_*")
    clips = dict.fromkeys(
        Clip(modality, emotion, intensity, statement, repetition, actor)
        for actor, emotion, intensity, statement, repetition, modality in product(
            actors, range(1, 9), intensities, statements, repetitions, modalities
        )
        if not (CLASSES[emotion - 1] == "neutral" and intensity == 2)
    )
    jobs = [_Job(out, seed, seconds, rate, c) for c in clips if not (out / c.path).exists()]
    done = map_unordered(_write, jobs, workers)
    for _ in progress(done, "synth ravdess", len(jobs)) if progress else done:
        pass
    return len(clips)


@dataclass(frozen=True)
class _Job:
    out: Path
    seed: int
    seconds: float
    fps: Fraction
    clip: Clip


def _write(job: _Job) -> None:
    clip = job.clip
    count = round(job.seconds * job.fps)
    actor = _actor(job.seed, clip.actor)
    emotion = CLASSES[clip.emotion - 1]
    manner, shown = act(actor, emotion, clip.intensity, generator(job.seed, clip.take, "act"))
    syllables = [(s[0], s[1]) for s in STATEMENTS[clip.statement].split()]
    said = speak(
        actor.speaker,
        manner,
        syllables,
        float(count / job.fps),
        generator(job.seed, clip.take, "voice"),
    )
    with atomic_path(job.out / clip.path) as path:
        if clip.modality == "03":
            write_wav(path, said.audio, SAMPLE_RATE)
        else:
            rng = generator(job.seed, clip.take, "face")
            frames = draw(actor, shown, said, job.seconds, job.fps, rng)
            audio = said.audio if clip.modality == "01" else None
            write_video(path, frames, (FRAME_HEIGHT, FRAME_WIDTH), job.fps, audio, SAMPLE_RATE)


@lru_cache(maxsize=4)
def _actor(seed: int, number: int) -> Actor:
    return Actor.random(generator(seed, f"actor {number}"), female=number % 2 == 0)
