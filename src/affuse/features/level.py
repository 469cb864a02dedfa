"""How loud sound is over time."""

from __future__ import annotations

import numpy as np

from affuse.features.sound import LocalExtractor
from affuse.features.stream import StreamSpec
from affuse.media.loudness import BLOCK, LOWEST

RATE = 16000


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
        blocks = samples[: len(samples) // self.hop * self.hop].reshape(-1, self.hop)
        power = blocks.var(1, dtype=np.float64)
        decibels = 10 * np.log10(np.maximum(power, 10 ** (LOWEST / 10)))
        return decibels.astype(np.float32)[:, None]
