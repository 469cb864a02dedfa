"""Who acts and how: eight emotions of which the voice tells one half and the face the other.

The emotions lie on a cycle. Neighbours share either the voice or the face, in turn:

    neutral =voice= calm =face= happy =voice= surprised =face= fearful =voice= sad =face=
    disgust =voice= angry =face= neutral

So there are four ways to speak and four faces; either alone leaves two emotions possible, and
only both together tell all eight.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from affuse.corpora.synthetic.face import Expression
from affuse.corpora.synthetic.portrait import Appearance
from affuse.corpora.synthetic.voice import Manner, Speaker

# The first voice and the first face are the neutral ones: they have no strength to vary, so that
# an emotion recorded in one intensity only (neutral) differs in nothing else from its neighbour.
VOICES = (
    Manner(),
    Manner(pitch=5.5, range=5.0, level=3.0, tilt=1.5, rate=0.03),
    Manner(pitch=1.5, range=-0.7, level=-6.0, tilt=-4.0, breath=0.35, tremor=0.7, rate=-0.03),
    Manner(pitch=-2.0, range=2.0, level=5.0, tilt=3.5, press=1.0),
)
FACES = (
    Expression(),
    Expression(smile=1.0, lids=-0.1),
    Expression(brow_raise=0.9, lids=0.8, jaw=0.45),
    Expression(smile=-0.9, frown=0.9, lids=-0.4),
)
CYCLE: dict[str, tuple[int, int]] = {  # emotion -> index of its voice, index of its face
    "neutral": (0, 0),
    "calm": (0, 1),
    "happy": (1, 1),
    "surprised": (1, 2),
    "fearful": (2, 2),
    "sad": (2, 3),
    "disgust": (3, 3),
    "angry": (3, 0),
}
STRENGTHS = {1: 0.85, 2: 1.1}  # by intensity, 1 normal and 2 strong


@dataclass(frozen=True)
class Actor:
    """One person: voice, looks and habits."""

    speaker: Speaker
    appearance: Appearance
    voice_strength: float
    face_strength: float
    resting: Expression
    articulation: float

    @classmethod
    def random(cls, rng: np.random.Generator, *, female: bool) -> Actor:
        """Draw an actor."""
        return cls(
            speaker=Speaker.random(rng, female=female),
            appearance=Appearance.random(rng),
            voice_strength=rng.uniform(0.8, 1.2),
            face_strength=rng.uniform(0.8, 1.2),
            resting=_little_expression(rng, 0.1),
            articulation=rng.uniform(0.65, 1.0),
        )


def act(
    actor: Actor, emotion: str, intensity: int, rng: np.random.Generator
) -> tuple[Manner, Expression]:
    """How an actor says something in an emotion this time.

    Args:
        actor: The person.
        emotion: A key of CYCLE.
        intensity: A key of STRENGTHS.
        rng: Where the variation from one take to the next comes from.
    """
    voice, face = CYCLE[emotion]
    loud, clear = (STRENGTHS[intensity] * rng.uniform(0.9, 1.1, 2)).tolist()
    take = Manner(pitch=rng.normal(0.0, 0.6), level=rng.normal(0.0, 1.5), tilt=rng.normal(0.0, 0.4))
    manner = VOICES[voice] * (actor.voice_strength * loud) + take
    shown = FACES[face] * (actor.face_strength * clear)
    return manner, shown + actor.resting + _little_expression(rng, 0.07)


def generator(seed: int, *names: str) -> np.random.Generator:
    """A random generator that depends on the seed and the names only."""
    digest = hashlib.sha256("/".join([str(seed), *names]).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def _little_expression(rng: np.random.Generator, deviation: float) -> Expression:
    smile, brow_raise, frown, lids = rng.normal(0.0, deviation, 4).tolist()
    return Expression(smile=smile, brow_raise=brow_raise, frown=abs(frown), lids=lids)
