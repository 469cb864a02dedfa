"""Windows of equal length over a series of frames, and their predictions put together again.

The windows of leader-follower attentive fusion (ICCVW 2021), released code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affuse.features.extractor import SHORTEST

LENGTH = 300
HOP = 200


def grid_starts(duration: float, window: float, hop: float) -> np.ndarray:
    """Starts of the windows of a recording on the grid 0, hop, 2 hop, ..., the same for all.

    The last window may reach beyond the end, where nothing is present. It begins `SHORTEST`
    seconds before the end or earlier, as a shorter recording says nothing; so at least
    `window - hop` seconds of it, or `SHORTEST`, lie within the recording.

    Args:
        duration: Seconds.
        window: Seconds.
        hop: Seconds from one window to the next, at most `window`.

    Returns:
        (W,) seconds; a recording that is shorter than a window has one around its middle, which
        then starts before zero.
    """
    if duration <= window:
        return np.array([(duration - window) / 2])
    count = int(np.ceil((duration - window) / hop - 1e-6)) + 1
    starts = hop * np.arange(count)
    return starts[starts <= duration - SHORTEST + 1e-6]


def frame_windows(frames: int, length: int = LENGTH, hop: float = HOP) -> list[tuple[int, int]]:
    """The windows that cover a series, the last one flush with its end.

    Args:
        frames: Frames of the series, at least one.
        length: Frames of a window.
        hop: Frames from one window to the next, at most `length`. Of a part of a frame, the
            windows begin at the frames nearest to 0, hop, 2 hop, ...

    Returns:
        (first frame, frame after the last) of each, from 0; a series that is no longer than a
        window has one, of its own length.

    Raises:
        ValueError: No frames, or windows that leave some out.
    """
    if frames < 1 or not 1 <= hop <= length:
        raise ValueError(f"no windows of {length} frames every {hop} cover {frames} frames")
    if frames <= length:
        return [(0, frames)]
    count = int(np.ceil((frames - length) / hop - 1e-9))
    starts = [round(number * hop) for number in range(count)]
    return [*((start, start + length) for start in starts), (frames - length, frames)]


def tiles(frames: int, length: int) -> list[tuple[int, int]]:
    """The windows that lie end to end from the start of a series, the last one cut off at its end.

    Args:
        frames: Frames of the series, at least one.
        length: Frames of a window.

    Returns:
        (first frame, frame after the last) of each, from 0.

    Source: the blocks of recursive joint attention (ICASSP 2023), released code.
    """
    return [(start, min(start + length, frames)) for start in range(0, frames, length)]


def overlap_mean(
    windows: Sequence[np.ndarray], spans: Sequence[tuple[int, int]], frames: int
) -> np.ndarray:
    """Predictions of windows as one series: the mean over the windows that a frame lies in.

    Args:
        windows: (length, D) each, from the first frame of its span on; what lies beyond the end
            of the series (padding of a short one) is dropped.
        spans: As `frame_windows` gives them.
        frames: Frames of the series.

    Returns:
        (frames, D) float32.

    Raises:
        ValueError: A window is missing or shorter than its span, or a frame lies in none.
    """
    if len(windows) != len(spans) or not len(windows):
        raise ValueError(f"{len(windows)} windows for {len(spans)} spans")
    total = np.zeros((frames, *np.shape(windows[0])[1:]))
    count = np.zeros(frames)
    for window, (start, stop) in zip(windows, spans, strict=True):
        if len(window) < stop - start:
            raise ValueError(f"{len(window)} predictions for frames {start} to {stop}")
        total[start:stop] += window[: stop - start]
        count[start:stop] += 1
    if not count.all():
        raise ValueError(f"no window covers frame {int(count.argmin())} of {frames}")
    return (total / count[:, None]).astype(np.float32)
