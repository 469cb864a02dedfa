"""The log-mel front end of VGGish."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from affuse.features.sound import FrameAlignment, frames_of_sound
from affuse.features.spectral import blocks_of, mel_shaped_filters, power_spectra

RATE = 16000
#: Frames of 10 ms in one example.
EXAMPLE = 96
_FRAME, _HOP = 400, 160
#: The example of moment i begins with frame (40 i + offset) // 12: the one nearest to 10 / 3 i, or
#: to 48.75 frames before that (an example hears 97.5), or the last that is 97.5 or more before it.
_OFFSETS: dict[FrameAlignment, int] = {"published": 6, "centred": -579, "causal": -1170}


@dataclass(frozen=True)
class Examples:
    """The examples of a sound, one for every moment at 30 Hz.

    Args:
        levels: (F, 64) float32, frames of 10 ms of the sound and of what is around it.
        starts: (T,) int64, the first frame of each example.
        mask: (T,) bool, False where more than half of an example is before the sound.
    """

    levels: np.ndarray
    starts: np.ndarray
    mask: np.ndarray

    def numbers(self, count: int) -> Iterator[np.ndarray]:
        """The numbers of those that are present, `count` at a time."""
        present = np.flatnonzero(self.mask)
        for first in range(0, len(present), count):
            yield present[first : first + count]

    def some(self, which: np.ndarray) -> np.ndarray:
        """Examples by their numbers (N,), (N, 96, 64) float32."""
        windows = sliding_window_view(self.levels, EXAMPLE, axis=0)
        return np.ascontiguousarray(windows[self.starts[which]].swapaxes(1, 2))


def vggish_examples(audio: np.ndarray, alignment: FrameAlignment) -> Examples:
    """The examples that belong to the moments i / 30 s of a sound.

    Before the sound its first sample is repeated, after it its last one, as the published front end
    does at the end: no click at the edge, and nearly silence to the filters, which leave out 0 Hz.

    Args:
        audio: (N,) float32 mono at 16 kHz.
        alignment: `centred`: the middle of the example is within 5 ms of its moment. `causal`: it
            ends at its moment or up to 10 ms before it, and is absent in the first half second,
            where less than half of it would be sound. `published`: it begins at its moment.

    Returns:
        As many as there are moments before the end of the sound.
    """
    starts = (40 * np.arange(frames_of_sound(len(audio), RATE)) + _OFFSETS[alignment]) // 12
    before = max(0, -int(starts[0]))
    return Examples(vggish_logmel(audio, before), starts + before, starts >= -49)


def vggish_logmel(audio: np.ndarray, before: int = 0) -> np.ndarray:
    """Log-mel spectrum of 25 ms windows every 10 ms, not centred.

    Args:
        audio: (N,) float32 mono at 16 kHz. Its last sample is repeated for one second, so that
            there is an example for every video frame up to the end.
        before: Frames of 10 ms to put in front, for which the first sample is repeated.

    Returns:
        (before + 1 + (N + 15600) // 160, 64) float32: ln(0.01 + magnitude in mel bands), 125 to
        7500 Hz.

    Source: Hershey et al. 2017; the second at the end from Zhang et al. 2021 (ABAW2).
    """
    around = np.pad(np.asarray(audio, np.float64), (before * _HOP, RATE), mode="edge")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FRAME) / _FRAME)
    filters = mel_shaped_filters(RATE, 512, 64, 125.0, 7500.0)
    blocks = [
        np.sqrt(power_spectra(block, window, 512)) @ filters.T
        for block in blocks_of(around, _FRAME, _HOP)
    ]
    return np.log(np.concatenate(blocks) + 0.01).astype(np.float32)


def vggish_starts(frames: int, fps: float) -> np.ndarray:
    """First frames of the examples, one example per video frame.

    Args:
        frames: Length of what `vggish_logmel` returns.
        fps: Video frames per second in Hz.

    Returns:
        (E,) int64; example i is frames `starts[i]` to `starts[i] + EXAMPLE`. Empty when there are
        fewer frames than that.

    Source: Zhang et al. 2021, released preprocessing (halves are rounded to even).
    """
    hop = 1 / fps * 100
    count = 1 + int((frames - EXAMPLE) / hop) if frames >= EXAMPLE else 0
    return np.round(np.arange(count) * hop).astype(np.int64)
