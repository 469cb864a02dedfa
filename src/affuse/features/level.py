"""How loud sound is over time."""

from __future__ import annotations

import numpy as np

from affuse.features.sound import LocalExtractor
from affuse.features.stream import StreamSpec
from affuse.media.loudness import BLOCK, LOWEST

RATE = 16000
#: How far in dB the sound of somebody who speaks falls below its loudest moments, pauses left out.
RANGE = 30.0


class Level(LocalExtractor):
    """`audio/level`: power of the sound in dB of full scale, 20 Hz.

    Each row is about the 50 ms from its moment on, without their constant part; -100 dB is digital
    silence. How far its highest rows in a window exceed its lowest is what is known of the
    signal-to-noise ratio there.
    """

    sound_rate, hop = RATE, round(RATE * BLOCK)
    context, ahead = 0, 0

    def __init__(self) -> None:
        recipe = {"extractor": "level", "rate": RATE, "lowest": LOWEST}
        self.spec = StreamSpec("audio/level", RATE / self.hop, (1,), recipe=recipe)

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(N // 800, 1) float32 dB."""
        return decibels(samples, self.hop).astype(np.float32)[:, None]


class Loud(LocalExtractor):
    """`audio/loud`: 1 where the sound is loud, -1 in its pauses, 20 Hz.

    It is loud where the 50 ms from a moment on lie within 30 dB of the loudest around: a second is
    judged at a time, with a second on either side.
    """

    sound_rate, hop = RATE, round(RATE * BLOCK)
    section = context = round(1 / BLOCK)

    def __init__(self) -> None:
        recipe = {"extractor": "loud", "rate": RATE, "lowest": LOWEST, "range": RANGE}
        self.spec = StreamSpec("audio/loud", RATE / self.hop, (1,), recipe=recipe)

    def rows(self, samples: np.ndarray) -> np.ndarray:
        """(N // 800, 1) float32, 1 or -1."""
        level = decibels(samples, self.hop)
        loud = level >= level.max(initial=LOWEST) - RANGE
        return np.where(loud, np.float32(1), np.float32(-1))[:, None]


def decibels(samples: np.ndarray, block: int) -> np.ndarray:
    """(N,) -> (N // block,) float64, the power of each block in dB without its constant part."""
    blocks = samples[: len(samples) // block * block].reshape(-1, block)
    power = blocks.var(1, dtype=np.float64)
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (LOWEST / 10))))
