"""The log-mel front end of VGGish."""

from __future__ import annotations

import numpy as np
import torch

from affuse.features.spectral import BLOCK, mel_shaped_filters

RATE = 16000
#: Frames of 10 ms in one example.
EXAMPLE = 96


def vggish_logmel(audio: np.ndarray) -> np.ndarray:
    """Log-mel spectrum of 25 ms windows every 10 ms, not centred.

    Args:
        audio: (N,) float32 mono at 16 kHz. Its last sample is repeated for one second, so that
            there is an example for every video frame up to the end.

    Returns:
        (1 + (N + 15600) // 160, 64) float32: ln(0.01 + magnitude in mel bands, 125 to 7500 Hz).

    Source: Hershey et al. 2017; the second at the end from Zhang et al. 2021 (ABAW2).
    """
    signal = torch.from_numpy(np.pad(np.asarray(audio, np.float64), (0, RATE), mode="edge"))
    window = torch.hann_window(400, dtype=torch.float64)
    filters = mel_shaped_filters(RATE, 512, 64, 125.0, 7500.0)
    blocks = [
        torch.fft.rfft(block * window, 512).abs() @ filters.T
        for block in signal.unfold(0, 400, 160).split(BLOCK)
    ]
    return torch.cat(blocks).add(0.01).log().float().numpy()


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
