"""People who talk for a while: a face that follows valence, a voice that follows arousal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from affuse.corpora.synthetic.acting import Actor
from affuse.corpora.synthetic.face import (
    FRAME_HEIGHT,
    FRAME_WIDTH,
    Expression,
    Face,
    Pose,
    head_motion,
)
from affuse.corpora.synthetic.portrait import FACE_CENTRE, Image
from affuse.corpora.synthetic.voice import FRAME_RATE, SAMPLE_RATE, Manner, speak

Floats = NDArray[Any]

CROP = 112  # pixels, side of a face image
# What a face image shows of the photograph, in its pixels; heads turn about the neck.
CROP_CENTRE, CROP_SIDE, NECK_Y = (224.5, 112.0), 132.0, FACE_CENTRE[1] + 60.0
# What people say, in turn.
STATEMENTS = ("ki za to ki ba d@ do", "do za si ti ba d@ do", "ta ki zo b@ da si to")
UTTERANCE = (1.8, 3.2)  # seconds
GRID = 20.0  # Hz, of slow curves


@dataclass(frozen=True)
class Person:
    """One person in one video.

    Args:
        actor: Who.
        truth: (T, 2) valence and arousal at GRID, -1 .. 1.
        rng: Where looks and habits of this video come from.
    """

    actor: Actor
    truth: Floats
    rng: np.random.Generator

    def at(self, times: Floats) -> Floats:
        """Valence and arousal (N, 2) at some seconds."""
        return at(self.truth, times)


def at(curves: Floats, times: Floats) -> Floats:
    """Curves (T, D) at GRID as they are at some seconds, (N, D); held beyond the ends."""
    grid = np.arange(len(curves)) / GRID
    return np.stack([np.interp(times, grid, curve) for curve in curves.T], axis=1)


def wander(seconds: float, width: float, curves: int, rng: np.random.Generator) -> Floats:
    """Smooth noise of standard deviation 1 at GRID.

    Args:
        seconds: Length.
        width: Standard deviation of the smoothing in seconds.
        curves: How many, D.
        rng: Where it comes from.

    Returns:
        (T, D).
    """
    sigma = width * GRID
    margin = int(np.ceil(4 * sigma))
    noise = rng.standard_normal((int(np.ceil(seconds * GRID)) + 2 + 2 * margin, curves))
    smooth = gaussian_filter1d(noise, sigma, axis=0)[margin:-margin]
    return np.asarray(smooth * np.sqrt(2 * sigma * np.sqrt(np.pi)))


def expression(valence: float) -> Expression:
    """The face of a valence from -1 (sullen, frowning) to 1 (a broad smile)."""
    pleased, displeased = max(valence, 0.0), max(-valence, 0.0)
    return Expression(
        smile=1.15 * pleased - 0.95 * displeased,
        brow_raise=0.35 * pleased,
        frown=displeased,
        lids=-0.3 * displeased,
    )


def manner(arousal: float) -> Manner:
    """The voice of an arousal from -1 (low, soft, dull, slow) to 1 (high, loud, shrill, fast)."""
    return Manner(
        pitch=4.5 * arousal,
        range=2.5 * arousal + 1.3,
        level=6.0 * arousal,
        tilt=3.0 * arousal,
        breath=0.25 * max(-arousal, 0.0),
        press=max(arousal, 0.0),
        rate=0.15 * arousal,
    )


def talk(
    people: Sequence[Person], seconds: float, rng: np.random.Generator
) -> tuple[Floats, list[Floats]]:
    """One utterance after the other, people in turn, each in the manner of the arousal meanwhile.

    Returns:
        (N,) float32 mono at SAMPLE_RATE, and for each person how far speech opens the mouth, 0 .. 1
        at FRAME_RATE.
    """
    audio = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    mouths = [np.zeros(int(np.ceil(seconds * FRAME_RATE)) + 2, np.float32) for _ in people]
    start, turn = 0.0, 0
    while start < seconds:
        length = rng.uniform(*UTTERANCE)
        if seconds - start - length < UTTERANCE[0]:
            length = seconds - start
        who = turn % len(people)
        person = people[who]
        arousal = float(person.at(start + np.linspace(0, length, 20))[:, 1].mean())
        habit = Manner(
            pitch=rng.normal(0.0, 0.6), level=rng.normal(0.0, 1.0), tilt=rng.normal(0.0, 0.4)
        )
        syllables = [(s[0], s[1]) for s in STATEMENTS[turn % len(STATEMENTS)].split()]
        said = speak(person.actor.speaker, manner(arousal) + habit, syllables, length, rng)
        for whole, part, rate in (
            (audio, said.audio, SAMPLE_RATE),
            (mouths[who], said.mouth, FRAME_RATE),
        ):
            first = round(start * rate)
            room = whole[first : first + len(part)]
            room[:] = part[: len(room)]
        start, turn = start + length, turn + 1
    return audio, mouths


def show(person: Person, mouth: Floats, times: Floats) -> Iterator[tuple[Image, Image]]:
    """A person in the images of a video.

    Args:
        person: Who.
        mouth: How far speech opens the mouth, at FRAME_RATE.
        times: (N,) seconds at which the images are shown.

    Yields:
        (240, 320, 3) uint8 RGB, and the face in it, (112, 112, 3) uint8 RGB.
    """
    rng, actor = person.rng, person.actor
    x, y, zoom = rng.uniform(-14, 14), rng.uniform(-6, 6), rng.uniform(0.96, 1.04)
    face = Face(actor.appearance, rng, x=x, y=y, zoom=zoom, light=rng.uniform(0.9, 1.08))
    scale = actor.appearance.scale * zoom
    side = -1.0 if actor.appearance.mirrored else 1.0
    valence = person.at(times)[:, 0]
    speech = actor.articulation * np.interp(times, np.arange(len(mouth)) / FRAME_RATE, mouth)
    shut = np.zeros(len(times))
    for blink in rng.uniform(0, times[-1] + 0.1, rng.poisson(times[-1] / 3)):
        shut = np.maximum(shut, np.clip(1.0 - np.abs(times - blink) / 0.09, 0, 1))
    for k, pose in enumerate(head_motion(times, rng)):
        shown = expression(float(valence[k])) + actor.resting * 0.5
        shown = shown + Expression(lids=-1.2 * float(shut[k]))
        picture = face.draw(shown, float(speech[k]), pose)
        yield picture, _crop(picture, pose, (x, y), scale, side * actor.appearance.aspect)


def _crop(
    picture: Image, pose: Pose, place: tuple[float, float], scale: float, aspect: float
) -> Image:
    """The square around the face; how the head is tilted is left as it is."""
    dx = CROP_CENTRE[0] - FACE_CENTRE[0] + pose.x + (NECK_Y - CROP_CENTRE[1]) * pose.turn
    dy = CROP_CENTRE[1] - FACE_CENTRE[1] + pose.y
    centre = (
        FRAME_WIDTH / 2 + place[0] + dx * scale * aspect,
        0.47 * FRAME_HEIGHT + place[1] + dy * scale,
    )
    grow = CROP / (CROP_SIDE * scale)
    matrix = np.array(
        [[grow, 0, CROP / 2 - grow * centre[0]], [0, grow, CROP / 2 - grow * centre[1]]]
    )
    crop: Image = cv2.warpAffine(picture, matrix, (CROP, CROP), borderMode=cv2.BORDER_REPLICATE)
    return crop
