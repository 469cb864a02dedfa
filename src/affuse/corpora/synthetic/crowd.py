"""A crowd that listens to, looks at, or does both to the clips of the synthetic CREMA-D.

A rater who catches the voice keeps the emotions that are spoken so, one who catches the face those
that look so, and then guesses among what is left.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.corpora.synthetic.acting import CYCLE, generator
from affuse.execution.files import write_text

#: Code in a file name -> emotion of `acting`; its first letter is what raters answer.
EMOTIONS = {
    "ANG": "angry",
    "DIS": "disgust",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
MISSED = {"LO": 0.5, "MD": 0.4, "HI": 0.3, "XX": 0.4}  # share of raters a voice, or face, escapes
SHOWN = {"LO": 45, "MD": 55, "HI": 70, "XX": 60}  # mean level that raters see
CHANNELS = ("audio", "video", "audio-visual")
_WORDS = ("Anger", "Disgust", "Fear", "Happy", "Neutral", "Sad")
_LEVELS = ("meanEmo", *(f"mean{word}" for word in _WORDS), "medianEmo")
_COUNTS = [code[0] for code in EMOTIONS]


class _Answer(NamedTuple):
    letter: str
    level: int
    normalised: float


class _Tally(NamedTuple):
    """What the raters of one clip in one channel said."""

    counts: list[int]
    vote: str
    level: str
    row: list[str | int | float]


def write_votes(tabulated: Path, summary: Path, seed: int, names: Sequence[str]) -> None:
    """Write `tabulatedVotes.csv` and `summaryTable.csv` as the publisher's R scripts do.

    Args:
        tabulated: Where the first goes.
        summary: Where the second goes.
        seed: Draws the raters.
        names: Clips in the order of their numbers, from 1.
    """
    tallies = [[_tally(_ask(seed, name, c)) for name in names] for c in CHANNELS]
    write_table(
        tabulated,
        ["", *_COUNTS, "fileName", "numResponses", "agreement", "emoVote"]
        + [f"{level}Resp{kind}" for kind in ("", "Norm") for level in _LEVELS],
        (
            [str(channel * 100_000 + number), *tally.counts, name, *tally.row]
            for channel, of_channel in enumerate(tallies, 1)
            for number, (name, tally) in enumerate(zip(names, of_channel, strict=True), 1)
        ),
    )
    kinds = ("Voice", "Face", "MultiModal")
    write_table(
        summary,
        ["", "FileName", *(f"{kind}{what}" for kind in kinds for what in ("Vote", "Level"))],
        (
            [str(number), name, *(told for tally in three for told in (tally.vote, tally.level))]
            for number, (name, *three) in enumerate(zip(names, *tallies, strict=True), 1)
        ),
    )


def write_table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[str | int | float]]
) -> None:
    """Write a CSV table as R does: words in quotes, numbers to 15 digits without."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([cell if isinstance(cell, str) else _digits(cell) for cell in r] for r in rows)
    write_text(path, text.getvalue())


def _digits(value: float) -> float:
    short = float(f"{value:.15g}")
    return int(short) if short.is_integer() else short


def _ask(seed: int, name: str, channel: str) -> list[_Answer]:
    """Seven to eleven raters, each with a scale of their own."""
    rng = generator(seed, name, channel, "raters")
    _, _, code, strength = name.split("_")
    told = [channel != "video", channel != "audio"]  # voice, face
    answers = []
    for _ in range(rng.integers(7, 12)):
        caught = rng.random(2) >= MISSED[strength]
        left = [
            other
            for other, emotion in EMOTIONS.items()
            if all(
                mine == acted
                for mine, acted, known in zip(
                    CYCLE[emotion], CYCLE[EMOTIONS[code]], caught & told, strict=True
                )
                if known
            )
        ]
        level = int(np.clip(round(rng.normal(SHOWN[strength], 18)), 0, 100))
        lowest, highest = rng.integers(0, 16), rng.integers(85, 101)
        normalised = float(np.clip(100 * (level - lowest) / (highest - lowest), 0, 100))
        answers.append(_Answer(left[rng.integers(len(left))][0], level, normalised))
    return answers


def _tally(answers: Sequence[_Answer]) -> _Tally:
    by_letter = {letter: [a for a in answers if a.letter == letter] for letter in _COUNTS}
    counts = [len(given) for given in by_letter.values()]
    most = max(counts)
    winners = [letter for letter, count in zip(_COUNTS, counts, strict=True) if count == most]
    vote = ":".join(winners)
    row: list[str | int | float] = [len(answers), most / len(answers), vote]
    for kind in ("level", "normalised"):
        levels = [getattr(a, kind) for a in answers]
        means = [
            float(np.mean([getattr(a, kind) for a in given])) if given else -1
            for given in by_letter.values()
        ]
        row += [float(np.mean(levels)), *means, float(np.median(levels))]
    shown = [round(float(np.mean([a.level for a in by_letter[w]])), 2) for w in winners]
    # R prints all numbers of a vector with as many decimals as the one that needs most
    decimals = max(len(f"{level:.2f}".rstrip("0").partition(".")[2]) for level in shown)
    return _Tally(counts, vote, ":".join(f"{level:.{decimals}f}" for level in shown), row)
