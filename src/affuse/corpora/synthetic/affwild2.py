"""A synthetic look-alike of Aff-Wild2, in the publisher's layout.

Aff-Wild2: Kollias and Zafeiriou 2019, BMVC. Nothing of it is in here: voices are synthesised and
faces are one public-domain photograph (see `voice` and `portrait`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.affwild2 import CLASSES, SYNTHETIC
from affuse.corpora.synthetic.acting import Actor, generator
from affuse.corpora.synthetic.face import FRAME_HEIGHT, FRAME_WIDTH
from affuse.corpora.synthetic.place import claim
from affuse.corpora.synthetic.portrait import Image, photograph
from affuse.corpora.synthetic.scene import Person, at, show, talk, wander
from affuse.corpora.synthetic.timed import write_timed
from affuse.corpora.synthetic.voice import SAMPLE_RATE
from affuse.errors import AffuseError
from affuse.execution.executors import map_unordered
from affuse.execution.files import atomic_path, write_csv, write_text

SETS = {"train": "Train_Set", "validation": "Validation_Set"}
NTSC = Fraction(30000, 1001)
VARIABLE = Fraction(0)
TICKS = 12_000  # per second, of the time stamps of a variable rate
#: Name, suffix, frames per second and partition of a dozen videos; `{n}` is the number of the
#: video, `{m}` the one before.
PLAN: tuple[tuple[str, str, Fraction, str], ...] = (
    ("{n}-30-640x240", ".mp4", Fraction(30), "train"),  # two people side by side
    ("video{n}", ".mp4", VARIABLE, "validation"),
    ("{n}-25-320x240", ".avi", Fraction(25), "test"),
    ("video{n}_1", ".mp4", NTSC, "train"),
    ("video{m}_2", ".mp4", NTSC, "train"),  # the same person again
    ("{n}-25-320x240", ".mp4", Fraction(25), "validation"),
    ("{n}-30-320x240", ".avi", Fraction(30), "train"),
    ("video{n}", ".mp4", NTSC, "test"),
    ("{n}-25-320x240", ".avi", Fraction(25), "train"),
    ("{n}-30-320x240", ".mp4", Fraction(30), "validation"),
    ("video{n}", ".mp4", NTSC, "train"),
    ("{n}-30-320x240", ".mp4", Fraction(30), "train"),
)
README = (
    f"{SYNTHETIC}\n"
    + """\
seed {seed}, {low:g} to {high:g} s per video

Folders and file names follow Aff-Wild2 (Kollias and Zafeiriou 2019): VA_Set holds a row of
valence and arousal per image of a video, -5 where nobody annotated, cropped_aligned holds the
face images, named after the number of the image. Beside them, truth holds what face and voice
really follow (seconds, valence, arousal): the annotation is later than that by 0.2 to 0.5 s, and
noisy. Nothing in here was recorded from a person. The voices are synthesised (glottal pulses,
breath and formants). The faces are one photograph, NASA's portrait of Eileen Collins as bundled
with scikit-image, warped and coloured. By construction the expression tells valence alone and the
voice arousal alone (lips move a little faster with it); where two people talk in turn, nothing
tells the arousal of the one who listens. How well a model does here says nothing about how well it
does on people.

Licence: the photograph is in the public domain (NASA); all else here is CC0 1.0.
"""
)

Floats = NDArray[Any]
Progress = Callable[[Iterable[None], str, int], Iterable[None]]


@dataclass(frozen=True)
class Video:
    """One video of the look-alike.

    Args:
        name: Without suffix.
        suffix: `.mp4` or `.avi`.
        fps: Frames per second; VARIABLE where they vary.
        partition: `train`, `validation` or `test`.
        people: Trial -> who it is.
    """

    name: str
    suffix: str
    fps: Fraction
    partition: str
    people: dict[str, str]

    @property
    def path(self) -> Path:
        """Where it lies in the corpus."""
        return Path("videos") / f"{self.name}{self.suffix}"

    def annotation(self, trial: str) -> Path | None:
        """Where the annotation of one of its people lies; None for test videos."""
        folder = SETS.get(self.partition)
        return None if folder is None else Path("VA_Set") / folder / f"{trial}.txt"

    def files(self) -> list[Path]:
        """Its files and folders of face images."""
        found: list[Path | None] = [self.path]
        for trial in self.people:
            found += [self.annotation(trial), _truth(trial), _images(trial)]
        return [path for path in found if path is not None]


def synthesise(
    out: Path,
    *,
    seed: int = 0,
    videos: int = 12,
    seconds: tuple[float, float] = (20.0, 60.0),
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Write the corpus, or what is missing of it; a video depends on the seed and its name only.

    Args:
        out: Folder to make.
        seed: Draws people, curves and everything else.
        videos: How many; the first shows two people (trials `_left` and `_right`), the second has a
            variable frame rate, the third is a test video, the fourth and fifth show one person.
        seconds: Least and greatest length of a video, at least 2.
        workers: Processes.
        progress: Wraps the loop over videos: called with an iterable, a label and the total.

    Returns:
        How many videos the corpus has, those that were there before included.

    Raises:
        AffuseError: An option outside its range, or scikit-image is needed and not installed.
        BadInput: `out` holds something else, such as the corpus of another seed.
    """
    low, high = seconds
    if videos < 1:
        raise AffuseError(f"{videos} videos: expected at least 1")
    if not 2 <= low <= high:
        raise AffuseError(f"{low:g} to {high:g} s: expected at least 2, the lesser first")
    photograph()  # before anything is written
    claim(out, README.format(seed=seed, low=low, high=high), "VA_Set")
    jobs = [
        _Job(out, seed, seconds, video)
        for video in map(plan, range(1, videos + 1))
        if not all((out / path).exists() for path in video.files())
    ]
    done = map_unordered(_write, jobs, workers)
    for _ in progress(done, "synth affwild2", len(jobs)) if progress else done:
        pass
    return videos


def plan(number: int) -> Video:
    """The video of a number from 1 on."""
    pattern, suffix, fps, partition = PLAN[(number - 1) % len(PLAN)]
    name = pattern.format(n=number, m=number - 1)
    sides = ("_left", "_right") if "640" in name else ("",)
    who = name.rsplit("_", 1)[0]
    return Video(name, suffix, fps, partition, {name + side: who + side for side in sides})


@dataclass(frozen=True)
class _Job:
    out: Path
    seed: int
    seconds: tuple[float, float]
    video: Video


def _write(job: _Job) -> None:
    video, out = job.video, job.out
    rng = generator(job.seed, video.name, "video")
    length = rng.uniform(*job.seconds)
    stamps, base = _time_stamps(video.fps, length, rng)
    times = stamps * float(base)
    people = {trial: _person(job.seed, trial, who, length) for trial, who in video.people.items()}
    audio, mouths = talk(list(people.values()), length, rng)
    for trial, person in people.items():
        rater = generator(job.seed, trial, "rater")
        truth = person.at(times)
        write_csv(
            out / _truth(trial),
            ("time", *CLASSES),
            ((f"{t:.4f}", f"{v:.4f}", f"{a:.4f}") for t, (v, a) in zip(times, truth, strict=True)),
        )
        path = video.annotation(trial)
        if path is not None:
            write_text(out / path, _annotate(person, times, rater))
    # the video is complete last, so that an interrupted job is done again as a whole
    with atomic_path(out / video.path) as temporary, ExitStack() as folders:
        shown = [
            _keep(
                show(person, mouth, times),
                folders.enter_context(_atomic_folder(out / _images(trial))),
                _gaps(times, generator(job.seed, trial, "detector")),
            )
            for (trial, person), mouth in zip(people.items(), mouths, strict=True)
        ]
        width = FRAME_WIDTH * len(people)
        frames = (np.hstack(parts) for parts in zip(*shown, strict=True))
        write_timed(temporary, frames, (FRAME_HEIGHT, width), stamps, base, audio, SAMPLE_RATE)


def _truth(trial: str) -> Path:
    return Path("truth") / f"{trial}.csv"


def _images(trial: str) -> Path:
    return Path("cropped_aligned") / trial


def _person(seed: int, trial: str, who: str, length: float) -> Person:
    look = generator(seed, who, "person")
    actor = Actor.random(look, female=bool(look.random() < 0.5))
    rng = generator(seed, trial, "truth")
    truth = np.tanh(wander(length, 1.5, 2, rng) * 0.9 + rng.normal(0.0, 0.25, 2))
    return Person(actor, truth, rng)


def _time_stamps(
    fps: Fraction, seconds: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Fraction]:
    """Of every image, in units that are returned as a fraction of a second."""
    if fps != VARIABLE:
        return np.arange(int(seconds * fps)), 1 / fps
    # like a telephone: the light decides about the rate, and no interval is like the other
    rates = np.repeat(rng.choice([15.0, 24.0, 30.0], int(seconds) + 1), 30)
    times = np.cumsum(rng.uniform(0.85, 1.15, len(rates)) / rates)
    times -= times[0]
    return np.round(times[times < seconds - 0.04] * TICKS).astype(np.int64), Fraction(1, TICKS)


def _annotate(person: Person, times: Floats, rng: np.random.Generator) -> str:
    """What a rater writes down: late, noisy, with gaps, and up to two rows too many."""
    late = person.at(times - rng.uniform(0.2, 0.5))
    noise = at(0.05 * wander(float(times[-1]), 0.4, 2, rng), times)
    values = np.clip(late + noise, -1, 1)
    rows = [f"{valence:.3f},{arousal:.3f}" for valence, arousal in values]
    for k in np.flatnonzero(_gaps(times, rng)):
        rows[k] = "-5,-5"
    rows += rows[-1:] * int(rng.integers(0, 3))
    return "\n".join([",".join(CLASSES), *rows]) + "\n"


def _gaps(times: Floats, rng: np.random.Generator) -> NDArray[np.bool_]:
    """(N,) bool: one gap or more, each up to a tenth of the video and 0.8 s, and single ones."""
    gone = rng.random(len(times)) < 0.004
    for _ in range(1 + rng.poisson(times[-1] / 20)):
        length = rng.uniform(0.2, min(0.8, 0.1 * times[-1] + 0.1))
        start = rng.uniform(0, times[-1] - length)
        gone |= (times >= start) & (times < start + length)
    return gone


@contextmanager
def _atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` when the block succeeds."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _keep(
    pictures: Iterator[tuple[Image, Image]], folder: Path, gone: NDArray[np.bool_]
) -> Iterator[Image]:
    """Pass images on and write the faces in them, as far as a detector finds them."""
    for number, (picture, face) in enumerate(pictures, 1):
        if not gone[number - 1]:
            bgr = cv2.cvtColor(face, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(folder / f"{number:05d}.jpg"), bgr)
        yield picture
