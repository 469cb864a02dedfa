"""The images of one take."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from affuse.corpora.synthetic.acting import Actor
from affuse.corpora.synthetic.face import Expression, Face, head_motion
from affuse.corpora.synthetic.portrait import Image
from affuse.corpora.synthetic.voice import FRAME_RATE, Utterance


def draw(
    actor: Actor,
    shown: Expression,
    said: Utterance,
    seconds: float,
    fps: Fraction,
    rng: np.random.Generator,
) -> Iterator[Image]:
    """An expression that comes up, blinks, speech and a moving head.

    Args:
        actor: Who is seen.
        shown: The expression at full strength.
        said: What moves the mouth.
        seconds: Length of the take.
        fps: Frames per second.
        rng: Where everything that varies from take to take comes from.

    Yields:
        (240, 320, 3) uint8 RGB.
    """
    face = Face(
        actor.appearance,
        rng,
        x=rng.uniform(-14, 14),
        y=rng.uniform(-6, 6),
        zoom=rng.uniform(0.96, 1.04),
        light=rng.uniform(0.9, 1.08),
    )
    count = round(seconds * fps)
    times = np.arange(count) / float(fps)
    mouth = np.interp(times, np.arange(len(said.mouth)) / FRAME_RATE, said.mouth)
    onset = 0.55 + 0.45 * np.clip(times / rng.uniform(0.3, 0.8), 0, 1)
    sway = 0.06 * np.sin(2 * np.pi * rng.uniform(0.3, 0.8) * times + rng.uniform(0, 2 * np.pi))
    shut = sum(
        np.clip(1.0 - np.abs(times - blink) / 0.09, 0, 1)
        for blink in rng.uniform(0, seconds, rng.poisson(seconds / 3))
    ) + np.zeros(count)
    strength = onset + sway
    for i, pose in enumerate(head_motion(times, rng)):
        expression = shown * float(strength[i]) + Expression(lids=-1.2 * float(min(shut[i], 1.0)))
        yield face.draw(expression, actor.articulation * float(mouth[i]), pose)
