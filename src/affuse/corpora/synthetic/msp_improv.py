"""A synthetic look-alike of MSP-IMPROV, in the publisher's layout, with raters.

MSP-IMPROV: Busso et al. 2017, IEEE Transactions on Affective Computing 8(1). Nothing of it is in
here: voices are synthesised and faces are one public-domain photograph (see `voice` and
`portrait`). The voice tells how aroused a speaker is and the face how pleasant it is for them;
only both together tell the four emotions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.corpora.msp_improv import ATTRIBUTES, CLASSES, RATINGS, SYNTHETIC
from affuse.corpora.synthetic.acting import Actor, act, generator
from affuse.corpora.synthetic.encode import write_video, write_wav
from affuse.corpora.synthetic.face import FRAME_HEIGHT, FRAME_WIDTH
from affuse.corpora.synthetic.performance import draw
from affuse.corpora.synthetic.place import absent, claim
from affuse.corpora.synthetic.portrait import photograph
from affuse.corpora.synthetic.voice import CONSONANTS, SAMPLE_RATE, VOWELS, Syllable, speak
from affuse.errors import AffuseError
from affuse.execution.executors import map_unordered
from affuse.execution.files import atomic_path, write_text

AROUSED = {"angry": True, "sad": False, "neutral": False, "happy": True}
PLEASANT = {"angry": False, "sad": False, "neutral": True, "happy": True}
# The emotions of `acting` whose voice, or face, is used for False and True.
VOICE_OF = ("neutral", "happy")
FACE_OF = ("sad", "happy")
#: Secondary emotions that go with a primary one; Concerned and Amused are none of the ten.
SHADES = {
    "angry": ("Angry", "Frustrated", "Disgust"),
    "sad": ("Sad", "Depressed", "Fear"),
    "neutral": ("Neutral", "Concerned"),
    "happy": ("Happy", "Excited", "Surprise"),
    "other": ("Amused", "Surprise"),
}
MISHEARD = 0.12  # share of raters who get arousal wrong; as many get valence wrong
RATERS = 40
LENGTHS = (1.6, 2.5)  # seconds
README = (
    f"{SYNTHETIC}\n"
    + """\
seed {seed}, sessions {sessions}, {turns} turns each, {fps} frames per second

Folders, file names and Evalution.txt follow MSP-IMPROV (Busso et al. 2017). Nothing in here was
recorded from a person and nobody rated it. The voices are synthesised (glottal pulses, breath and
formants). The faces are one photograph, NASA's portrait of Eileen Collins as bundled with
scikit-image, warped and coloured. By construction the voice tells angry and happy from sad and
neutral and the face angry and sad from the others, so that either alone is right half of the time
at best. The ratings are drawn: each of five to nine raters gets either of the two wrong now and
then. A (activation) is 5 where a voice is excited. How well a model does here says nothing about
how well it does on people, nor do these raters agree as people do.

Made on purpose as in any corpus: names of videos begin with UTD or MSP, one turn has no video,
one no ratings, and in each session one consensus is another emotion, one is no agreement and one
mean is NaN.

Licence: the photograph is in the public domain (NASA); all else here is CC0 1.0.
"""
)

Progress = Callable[[Iterable[None], str, int], Iterable[None]]


@dataclass(frozen=True)
class Turn:
    """One turn of the look-alike.

    Args:
        session: 1 to 6.
        number: Within the session, from 1.
        speaker: F or M.
        listener: F or M.
        scenario: Sentence, target emotion and whose sentence it is, such as `S01A-F01`.
        kind: R, T, S or P.
        emotion: What voice and face tell together.
        oddity: What is wrong with it: `no video`, `no ratings`, `NaN`, `O`, `X`, or nothing.
    """

    session: int
    number: int
    speaker: str
    listener: str
    scenario: str
    kind: str
    emotion: str
    oddity: str

    @property
    def name(self) -> str:
        """The name without corpus: `S01A-F01-P-FM01`."""
        turn = f"{self.speaker}{self.listener}{self.number:02d}"
        return f"{self.scenario}-{self.kind}-{turn}"

    @property
    def files(self) -> dict[str, Path]:
        """Suffix -> where it lies in the corpus."""
        folder = Path(f"session{self.session}", self.scenario[:4], self.kind)
        files = {".wav": folder / f"MSP-IMPROV-{self.name}.wav"}
        if self.oddity != "no video":
            corpus = "UTD" if self.session % 2 else "MSP"
            files[".avi"] = folder / f"{corpus}-IMPROV-{self.name}.avi"
        return files


def synthesise(
    out: Path,
    *,
    seed: int = 0,
    sessions: Sequence[int] = range(1, 7),
    turns: int = 14,
    fps: float = 30000 / 1001,
    workers: int = 1,
    progress: Progress | None = None,
) -> int:
    """Write the corpus, or what is missing of it; a file depends on the options only.

    Args:
        out: Folder to make.
        seed: Draws the actors, every turn and the raters.
        sessions: Numbers from 1 to 6, each of a woman and a man.
        turns: Per session, 6 to 99.
        fps: Frames per second, kept as the nearest fraction (30000/1001).
        workers: Processes.
        progress: Wraps the loop over turns: called with an iterable, a label and the total.

    Returns:
        How many files the corpus has, those that were there before included: sounds, videos and
        the one with the ratings.

    Raises:
        AffuseError: An option outside its range, or scikit-image is needed and not installed.
        BadInput: `out` holds something else, such as the corpus of another seed.
    """
    if not sessions or not set(sessions) <= set(range(1, 7)):
        raise AffuseError(f"sessions {list(sessions)}: expected numbers from 1 to 6")
    if not 6 <= turns <= 99:
        raise AffuseError(f"{turns} turns: expected 6 to 99")
    if fps < 1:
        raise AffuseError(f"{fps} frames per second: expected at least 1")
    rate = Fraction(fps).limit_denominator(1001)
    photograph()  # before anything is written
    chosen = sorted(set(sessions))
    names = ", ".join(map(str, chosen))
    claim(out, README.format(seed=seed, sessions=names, turns=turns, fps=rate), "session*")
    plan = [turn for session in chosen for turn in _plan(seed, session, turns, chosen)]
    ratings = out / RATINGS[0]
    if not ratings.exists():
        rated = (turn for turn in plan if turn.oddity != "no ratings")
        write_text(ratings, "\n".join(_block(seed, turn) for turn in rated))
    jobs = [_Job(out, seed, rate, turn) for turn in plan if absent(out, turn.files)]
    done = map_unordered(_write, jobs, workers)
    for _ in progress(done, "synth msp-improv", len(jobs)) if progress else done:
        pass
    return sum(len(turn.files) for turn in plan) + 1


def _plan(seed: int, session: int, turns: int, sessions: Sequence[int]) -> Iterator[Turn]:
    """The turns of a session: emotions in turn, of either speaker and in each kind."""
    rng = generator(seed, f"session {session}")
    oddities = {3: "NaN", turns - 2: "O", turns - 1: "X"}
    if session == sessions[0]:
        oddities[1] = "no video"
    if session == sessions[-1]:
        oddities[2] = "no ratings"
    for k in range(turns):
        emotion = CLASSES[k % 4]
        speaker, other = ("F", "M") if (k + k // 4) % 2 else ("M", "F")
        kind = "TRSP"[k // 4 % 4]
        sentence, actor = int(rng.integers(1, 21)), "FM"[rng.integers(2)]
        target = int(rng.integers(len(CLASSES)))
        if kind in "TR":  # only here does the speaker have a sentence to say, in the target emotion
            actor, target = speaker, CLASSES.index(emotion)
        yield Turn(
            session,
            k + 1,
            speaker,
            speaker if kind == "R" else other,
            f"S{sentence:02d}{CLASSES[target][0].upper()}-{actor}{session:02d}",
            kind,
            emotion,
            oddities.get(k, ""),
        )


class _Rating(NamedTuple):
    rater: str
    primary: str
    secondary: list[str]
    values: list[float]


def _block(seed: int, turn: Turn) -> str:
    """Consensus and raters of a turn, as they stand in `Evalution.txt`."""
    rng = generator(seed, turn.name, "raters")
    raters = rng.choice(RATERS, 6 if turn.oddity == "X" else rng.integers(5, 10), replace=False)
    ratings = [_rate(turn, rank, rater + 1, rng) for rank, rater in enumerate(raters.tolist())]
    (first, most), *others = Counter(rating.primary for rating in ratings).most_common()
    agreed = not others or most > others[0][1]
    means = np.mean([rating.values for rating in ratings], 0)
    if turn.oddity == "NaN":
        means[2] = ratings[0].values[2] = np.nan
    lines = [_line(f"UTD-IMPROV-{turn.name}.avi", [first[0].upper() if agreed else "X"], means)]
    lines[0] = lines[0].replace("; N:", " ; N:")  # the release has a blank too many here
    for rating in ratings:
        words = [rating.primary.capitalize(), ",".join(rating.secondary)]
        lines.append(_line(rating.rater, words, rating.values))
    return "\n".join([*lines, ""])


def _rate(turn: Turn, rank: int, rater: int, rng: np.random.Generator) -> _Rating:
    """What one rater hears and sees."""
    aroused, pleasant = np.array([AROUSED[turn.emotion], PLEASANT[turn.emotion]]) ^ (
        rng.random(2) < MISHEARD
    )
    if turn.oddity == "X":  # every other rater takes it for the opposite
        wrong = bool(rank % 2)
        aroused, pleasant = AROUSED[turn.emotion] ^ wrong, PLEASANT[turn.emotion] ^ wrong
    primary = next(c for c in CLASSES if (AROUSED[c], PLEASANT[c]) == (aroused, pleasant))
    if turn.oddity == "O" and rank != 1:
        primary = "other"
    shades = rng.permutation(SHADES[primary])[: rng.integers(1, 3)].tolist()
    centre = np.array([1.8 + 2.4 * aroused, 1.8 + 2.4 * pleasant, 2.6 + 0.8 * aroused, 3.8])
    values = np.clip(np.round(centre + rng.normal(0, 0.6, 4)), 1, 5).tolist()
    return _Rating(f"R002{rater:05d}", primary, shades, values)


def _line(name: str, words: Sequence[str], values: Iterable[float]) -> str:
    told = [f"{letter}:{value:f}" for letter, value in zip(ATTRIBUTES, values, strict=True)]
    return "; ".join([name, *words, *told]).replace("nan", "NaN") + ";"


@dataclass(frozen=True)
class _Job:
    out: Path
    seed: int
    fps: Fraction
    turn: Turn


def _write(job: _Job) -> None:
    turn, seed = job.turn, job.seed
    rng = generator(seed, turn.name, "act")
    actor = _actor(seed, turn.speaker, turn.session)
    intensity = 2 if turn.kind == "T" else 1
    manner, _ = act(actor, VOICE_OF[AROUSED[turn.emotion]], intensity, rng)
    _, shown = act(actor, FACE_OF[PLEASANT[turn.emotion]], intensity, rng)
    count = round(rng.uniform(*LENGTHS) * job.fps)
    seconds = float(count / job.fps)
    # who reads or improvises towards a sentence says it; what else is said is never the same
    words = turn.scenario[:3] if turn.kind in "TR" else turn.name
    voice = generator(seed, turn.name, "voice")
    said = speak(actor.speaker, manner, _syllables(seed, words), seconds, voice)
    for suffix, file in absent(job.out, turn.files).items():
        with atomic_path(file) as path:
            if suffix == ".wav":
                write_wav(path, said.audio, SAMPLE_RATE)
            else:
                face = generator(seed, turn.name, "face")
                frames = draw(actor, shown, said, seconds, job.fps, face)
                size = (FRAME_HEIGHT, FRAME_WIDTH)
                write_video(path, frames, size, job.fps, said.audio, SAMPLE_RATE)


def _syllables(seed: int, words: str) -> list[Syllable]:
    rng = generator(seed, words, "syllables")
    consonants = rng.choice(list(CONSONANTS), 7).tolist()
    return list(zip(consonants, rng.choice(list(VOWELS), 7).tolist(), strict=True))


@lru_cache(maxsize=4)
def _actor(seed: int, sex: str, session: int) -> Actor:
    return Actor.random(generator(seed, f"actor {sex}{session:02d}"), female=sex == "F")
