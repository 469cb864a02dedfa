"""Generated clips of two people who talk."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.media.recordings import write_recording

from affuse.corpora.synthetic.acting import Actor, act, generator
from affuse.corpora.synthetic.performance import draw
from affuse.corpora.synthetic.ravdess import STATEMENTS
from affuse.corpora.synthetic.voice import SAMPLE_RATE, speak

FPS = 25
SECONDS = 3.2


@cache
def take(seed: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """An actor who talks: (T, 240, 320, 3) frames and (N,) sound."""
    pytest.importorskip("skimage")
    actor = Actor.random(generator(seed, f"actor {number}"), female=number % 2 == 0)
    manner, shown = act(actor, "neutral", 1, generator(seed, f"{number}", "act"))
    syllables = [(word[0], word[1]) for word in STATEMENTS[number].split()]
    said = speak(actor.speaker, manner, syllables, SECONDS, generator(seed, f"{number}", "voice"))
    rng = generator(seed, f"{number}", "face")
    return np.stack(list(draw(actor, shown, said, SECONDS, Fraction(FPS), rng))), said.audio


def side_by_side(path: Path, seed: int, speaker: int) -> Path:
    """Two actors who both talk; the sound is that of one of them, 0 on the left."""
    takes = [take(seed, number) for number in (1, 2)]
    frames = np.concatenate([frames for frames, _ in takes], axis=2)
    return _write(path, frames, takes[speaker][1])


def in_turn(path: Path, seed: int) -> Path:
    """The left one talks, then the right one; who does not keeps still."""
    (left, one), (right, other) = (take(seed, number) for number in (1, 2))
    left = np.concatenate([left, np.repeat(left[-1:], len(left), 0)])
    right = np.concatenate([np.repeat(right[:1], len(right), 0), right])
    return _write(path, np.concatenate([left, right], axis=2), np.concatenate([one, other]))


def alone(path: Path, seed: int, *numbers: int) -> Path:
    """One actor after the other; number 0 is nobody for half a second."""
    parts, sounds = [], []
    for number in numbers:
        frames, sound = take(seed, max(number, 1))
        if not number:
            frames, sound = np.full_like(frames[:13], 90), np.zeros(SAMPLE_RATE // 2, np.float32)
        parts.append(frames)
        sounds.append(sound)
    return _write(path, np.concatenate(parts), np.concatenate(sounds))


def _write(path: Path, frames: np.ndarray, sound: np.ndarray) -> Path:
    pictures = [(k / FPS, frame) for k, frame in enumerate(frames)]
    options = {"crf": "18"}
    return write_recording(path, pictures, sound[None], SAMPLE_RATE, options=options)
