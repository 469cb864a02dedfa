"""A synthetic look-alike of CREMA-D, in the publisher's layout, with a crowd of raters.

CREMA-D: Cao et al. 2014, IEEE Transactions on Affective Computing 5(4). Nothing of it is in here:
voices are synthesised and faces are one public-domain photograph (see `voice` and `portrait`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from affuse.corpora.cremad import SYNTHETIC, clip_names
from affuse.corpora.synthetic.acting import Actor, act, generator
from affuse.corpora.synthetic.crowd import EMOTIONS, write_table, write_votes
from affuse.corpora.synthetic.encode import write_video, write_wav
from affuse.corpora.synthetic.face import FRAME_HEIGHT, FRAME_WIDTH
from affuse.corpora.synthetic.performance import draw
from affuse.corpora.synthetic.place import absent, claim
from affuse.corpora.synthetic.portrait import photograph
from affuse.corpora.synthetic.voice import SAMPLE_RATE, speak
from affuse.errors import AffuseError
from affuse.execution.executors import map_unordered
from affuse.execution.files import atomic_path

SENTENCES = {
    "IEO": "ti d@ ba z@ k@ ko",  # It's eleven o'clock
    "TIE": "da ti z@ ka t@ ka da",  # That is exactly what happened
    "IOM": "da bo bi za t@ d@ bi ti",  # I'm on my way to the meeting
    "IWW": "da bo d@ so ti z@ ba to",  # I wonder what this is about
    "TAI": "d@ ba ti z@ do bo so bo",  # The airplane is almost full
    "MTI": "bi to ba zo ti bi ko do",  # Maybe tomorrow it will be cold
    "IWL": "da bo da ki bo da bi to ko",  # I would like a new alarm clock
    "ITH": "da ki da ba d@ ko ti z@ da",  # I think I have a doctor's appointment
    "DFA": "do ko k@ ta da ki",  # Don't forget a jacket
    "ITS": "da ti ka bi si di s@ bo",  # I think I've seen this before
    "TSI": "d@ so ki si so ki",  # The surface is slick
    "WSI": "bi so ti do ko ko di ti",  # We'll stop in a couple of minutes
}
#: Who comes first: the first five are one of each block and of each of the five folds.
FIRST = (1064, 1076, 1001, 1031, 1051, 1008, 1021, 1036, 1040, 1057, 1068, 1083)
ACTORS = tuple(dict.fromkeys([*FIRST, *range(1001, 1092)]))
#: In the order in which the publisher numbers the clips of a sentence.
ORDER = ("NEU", "HAP", "SAD", "ANG", "FEA", "DIS")
STRENGTHS = {"XX": 0.8, "LO": 0.6, "MD": 0.8, "HI": 1.0}  # what a level makes of an actor's own
TABLES = (
    "SentenceFilenames.csv",
    "VideoDemographics.csv",
    "processedResults/tabulatedVotes.csv",
    "processedResults/summaryTable.csv",
)
SILENT = "1076_MTI_SAD_XX"  # as published
LENGTHS = (1.7, 2.3)  # seconds
WAV_RATE, FLV_RATE = 16_000, 44_100  # Hz
RACES = {"Caucasian": 0.68, "African American": 0.24, "Asian": 0.08}  # shares
README = (
    f"{SYNTHETIC}\n"
    + """\
seed {seed}, {actors} actors, sentences {sentences}, {fps} frames per second

Folders, file names and tables follow CREMA-D (Cao et al. 2014). Nothing in here was recorded from
a person, nobody rated it and the demographics are invented. The voices are synthesised (glottal
pulses, breath and formants). The faces are one photograph, NASA's portrait of Eileen Collins as
bundled with scikit-image, warped and coloured. By construction fear and sad share the voice, as do
disgust and angry; sad and disgust share the face, as do angry and neutral. Either alone is right
four times of six at best. The votes are drawn: to each of seven to eleven raters the voice or the
face is lost now and then, and they guess among what fits the rest. How well a model does here says
nothing about how well it does on people, nor do these raters agree as people do.

Made on purpose as in any corpus: one clip has no sound (its .wav no samples), one more video has
no sound, one listed clip has no files, and of one actor the race is unknown. Names that the
publisher lists as bad are otherwise as good as the rest.

Licence: the photograph is in the public domain (NASA); all else here is CC0 1.0.
"""
)

Audio = NDArray[np.floating[Any]]
Progress = Callable[[Iterable[None], str, int], Iterable[None]]


@dataclass(frozen=True)
class Clip:
    """One clip of the look-alike.

    Args:
        name: Such as `1001_IEO_ANG_LO`.
        oddity: What is wrong with it: `silent`, `mute video`, `absent`, or nothing.
    """

    name: str
    oddity: str

    @property
    def files(self) -> dict[str, Path]:
        """Suffix -> where it lies in the corpus."""
        if self.oddity == "absent":
            return {}
        folders = {".wav": "AudioWAV", ".flv": "VideoFlash"}
        return {suffix: Path(folder, self.name + suffix) for suffix, folder in folders.items()}


def synthesise(
    out: Path,
    *,
    seed: int = 0,
    actors: int = 12,
    sentences: Sequence[str] = ("IEO", "MTI"),
    fps: float = 30000 / 1001,
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Write the corpus, or what is missing of it; a file depends on the options only.

    Args:
        out: Folder to make.
        seed: Draws the actors, every take and the raters.
        actors: How many, 1 to 91; from 5 on there is one in every part of the protocols.
        sentences: Keys of SENTENCES: IEO gives 16 clips per actor, any other 6.
        fps: Frames per second, kept as the nearest fraction (30000/1001).
        workers: Processes.
        progress: Wraps the loop over clips: called with an iterable, a label and the total.

    Returns:
        How many files the corpus has, those that were there before included: sounds, videos and
        tables.

    Raises:
        AffuseError: An option outside its range, or scikit-image is needed and not installed.
        BadInput: `out` holds something else, such as the corpus of another seed.
    """
    if not 1 <= actors <= len(ACTORS):
        raise AffuseError(f"{actors} actors: expected 1 to {len(ACTORS)}")
    if not sentences or not set(sentences) <= set(SENTENCES):
        raise AffuseError(f"sentences {list(sentences)}: expected some of {', '.join(SENTENCES)}")
    if fps < 1:
        raise AffuseError(f"{fps} frames per second: expected at least 1")
    rate = Fraction(fps).limit_denominator(1001)
    photograph()  # before anything is written
    said = [sentence for sentence in SENTENCES if sentence in sentences]
    readme = README.format(seed=seed, actors=actors, sentences=", ".join(said), fps=rate)
    claim(out, readme, "AudioWAV")
    plan = _plan(ACTORS[:actors], said)
    _write_tables(out, seed, sorted(ACTORS[:actors]), [clip.name for clip in plan])
    jobs = [_Job(out, seed, rate, clip) for clip in plan if absent(out, clip.files)]
    done = map_unordered(_write, jobs, workers)
    for _ in progress(done, "synth cremad", len(jobs)) if progress else done:
        pass
    return sum(len(clip.files) for clip in plan) + len(TABLES)


def _plan(actors: Sequence[int], sentences: Sequence[str]) -> list[Clip]:
    """The published names of these actors and sentences, in the publisher's order."""

    def place(name: str) -> tuple[int, int, int, int]:
        actor, sentence, code, level = name.split("_")
        told = (list(SENTENCES), sentence), (ORDER, code), (list(STRENGTHS), level)
        first, second, third = (known.index(word) for known, word in told)
        return int(actor), first, second, third

    chosen = set(map(str, actors))
    names = [name for name in clip_names() if name[:4] in chosen and name[5:8] in sentences]
    names.sort(key=place)
    silent = SILENT if SILENT in names else names[0]
    oddities = {names[1]: "mute video", names[2]: "absent", silent: "silent"}
    return [Clip(name, oddities.get(name, "")) for name in names]


def _write_tables(out: Path, seed: int, actors: Sequence[int], names: Sequence[str]) -> None:
    listed, about, tabulated, summary = paths = [out / table for table in TABLES]
    if all(path.exists() for path in paths):
        return
    write_table(listed, ["Stimulus_Number", "Filename"], enumerate(names, 1))
    write_table(
        about,
        ["ActorID", "Age", "Sex", "Race", "Ethnicity"],
        [_demographics(seed, actor) for actor in actors],
    )
    write_votes(tabulated, summary, seed, names)


def _demographics(seed: int, actor: int) -> list[str | int]:
    rng = generator(seed, f"actor {actor}", "demographics")
    race = str(rng.choice(list(RACES), p=list(RACES.values())))
    return [
        actor,
        int(rng.integers(20, 75)),
        "Female" if _is_female(actor) else "Male",
        "Unknown" if actor == ACTORS[0] else race,
        "Hispanic" if rng.random() < 0.11 else "Not Hispanic",
    ]


def _is_female(actor: int) -> bool:
    return actor % 2 == 0


@dataclass(frozen=True)
class _Job:
    out: Path
    seed: int
    fps: Fraction
    clip: Clip


def _write(job: _Job) -> None:
    seed, name, oddity = job.seed, job.clip.name, job.clip.oddity
    number, sentence, code, level = name.split("_")
    rng = generator(seed, name, "act")
    actor = _actor(seed, int(number))
    tuned = replace(
        actor,
        voice_strength=actor.voice_strength * STRENGTHS[level],
        face_strength=actor.face_strength * STRENGTHS[level],
    )
    manner, shown = act(tuned, EMOTIONS[code], 2, rng)
    count = round(rng.uniform(*LENGTHS) * job.fps)
    seconds = float(count / job.fps)
    syllables = [(s[0], s[1]) for s in SENTENCES[sentence].split()]
    said = speak(actor.speaker, manner, syllables, seconds, generator(seed, name, "voice"))
    for suffix, file in absent(job.out, job.clip.files).items():
        with atomic_path(file) as path:
            if suffix == ".wav":
                audio = said.audio[:0] if oddity == "silent" else said.audio
                write_wav(path, _resample(audio, WAV_RATE), WAV_RATE)
            else:
                face = generator(seed, name, "face")
                frames = draw(actor, shown, said, seconds, job.fps, face)
                sound = None if oddity else _resample(said.audio, FLV_RATE)
                write_video(path, frames, (FRAME_HEIGHT, FRAME_WIDTH), job.fps, sound, FLV_RATE)


def _resample(audio: Audio, rate: int) -> Audio:
    resampled: Audio = soxr.resample(audio, SAMPLE_RATE, rate)
    return resampled


@lru_cache(maxsize=4)
def _actor(seed: int, number: int) -> Actor:
    return Actor.random(generator(seed, f"actor {number}"), female=_is_female(number))
