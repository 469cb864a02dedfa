"""The recordings that are measured: generated people who talk, in the size of RAVDESS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from affuse.corpora.synthetic.acting import Actor, act, generator
from affuse.corpora.synthetic.encode import write_video, write_wav
from affuse.corpora.synthetic.performance import draw
from affuse.corpora.synthetic.ravdess import STATEMENTS
from affuse.corpora.synthetic.voice import SAMPLE_RATE, Utterance, speak

#: Width and height of the videos of RAVDESS in pixels, their rate in Hz, and their usual length.
SIZE, FPS, SECONDS = (1280, 720), Fraction(30000, 1001), 3.6
#: Recordings that differ; more are copies of them.
DIFFERENT = 8
_EMOTIONS = ("neutral", "happy", "sad", "angry", "surprised", "fearful", "disgust", "calm")


def write_recordings(
    folder: Path, count: int, seconds: float = SECONDS, size: tuple[int, int] = SIZE
) -> list[Path]:
    """Recordings of one person each, `000000.mp4` and so on, and their sound as `000000.wav`.

    Args:
        folder: Where to; what is there is kept.
        count: How many.
        seconds: Length of each.
        size: Width and height in pixels, both even.

    Returns:
        The videos.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{k:06d}.mp4" for k in range(count)]
    for k, path in enumerate(paths):
        if path.exists():
            continue
        if k < DIFFERENT:
            write_recording(path, seconds, size, seed=k)
            continue
        for suffix in (".mp4", ".wav"):
            shutil.copyfile(paths[k % DIFFERENT].with_suffix(suffix), path.with_suffix(suffix))
    return paths


def write_recording(
    path: Path,
    seconds: float = SECONDS,
    size: tuple[int, int] = SIZE,
    seed: int = 0,
    people: int = 1,
    fps: Fraction = FPS,
) -> Path:
    """A recording of people side by side, the first of whom is heard, and its sound beside it.

    Args:
        path: `.mp4`; the sound is a `.wav` of the same name.
        seconds: Length.
        size: Width and height in pixels, both even.
        seed: Of everything.
        people: How many.
        fps: Frames per second.
    """
    width, height = size
    sound = np.concatenate([said.audio for said in _utterances(seed, 0, seconds)])
    sound = sound[: round(seconds * SAMPLE_RATE)]
    edges = [width * k // people for k in range(people + 1)]
    parts = [_shown(seed, k, seconds, fps) for k in range(people)]
    frames = (
        np.hstack([
            _fitted(part, right - left, height)
            for part, (left, right) in zip(row, pairwise(edges), strict=True)
        ])
        for row in zip(*parts, strict=True)
    )  # fmt: skip
    write_wav(path.with_suffix(".wav"), sound, SAMPLE_RATE)
    write_video(path, frames, (height, width), fps, sound, SAMPLE_RATE)
    return path


def _actor(seed: int, person: int) -> Actor:
    name = f"actor {person}"
    return Actor.random(generator(seed, name), female=(seed + person) % 2 == 0)


def _utterances(seed: int, person: int, seconds: float) -> Iterator[Utterance]:
    """What somebody says, one statement of at most `SECONDS` after the other."""
    actor = _actor(seed, person)
    for number, length in enumerate(_lengths(seconds)):
        manner, _ = act(actor, *_acted(seed, number), generator(seed, f"{person} {number}", "act"))
        syllables = [(word[0], word[1]) for word in STATEMENTS[1 + number % 2].split()]
        rng = generator(seed, f"{person} {number}", "voice")
        yield speak(actor.speaker, manner, syllables, length, rng)


def _shown(seed: int, person: int, seconds: float, fps: Fraction) -> Iterator[NDArray[np.uint8]]:
    """Frames (240, 320, 3) of somebody who says that."""
    actor, wanted = _actor(seed, person), round(seconds * fps)
    for number, said in enumerate(_utterances(seed, person, seconds)):
        length = list(_lengths(seconds))[number]
        _, shown = act(actor, *_acted(seed, number), generator(seed, f"{person} {number}", "act"))
        rng = generator(seed, str(person), "face")  # in the same place, whatever is said
        for frame in draw(actor, shown, said, length, fps, rng):
            if wanted:
                wanted -= 1
                yield frame
    for _ in range(wanted):  # lengths are rounded to whole frames
        yield frame


def _acted(seed: int, number: int) -> tuple[str, int]:
    return _EMOTIONS[(seed + number) % len(_EMOTIONS)], 1


def _lengths(seconds: float) -> Iterator[float]:
    """Seconds of each statement: equal parts of `SECONDS` or less."""
    count = max(1, -int(-seconds // SECONDS))
    for _ in range(count):
        yield seconds / count


def _fitted(frame: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A frame as large as there is room for, its edges repeated on both sides of it."""
    scale = min(width / frame.shape[1], height / frame.shape[0])
    size = min(width, round(frame.shape[1] * scale)), min(height, round(frame.shape[0] * scale))
    large = cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    right, bottom = width - size[0] - left, height - size[1] - top
    whole = cv2.copyMakeBorder(large, top, bottom, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(whole, np.uint8)
