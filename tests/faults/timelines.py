"""Timelines made by hand, and names that break programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from affuse.tasks.prediction import KeyFrame
from affuse.tasks.presence import Presence
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

EMOTIONS = ["neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
#: Characters that are commands to a terminal, a page, a formula, a path or a decoder.
_NASTY = "$_^\\{}%&<>\"'`#[]();|*?~=+-@\x1b\x07\x08\r\n\t\x7f\x9b"
_NASTY += "\u202e\u2066\u200f\u2028é日😀\udce9\udcff"
NAMES = st.text(st.sampled_from(_NASTY + "abc 1."), min_size=1, max_size=30).filter(
    lambda name: name.strip(".") != ""
)


def rows_of(*tops: float | None, classes: int = 7) -> np.ndarray:
    """A row of probabilities per number, which the first class has; None: nothing is known."""
    rows = [
        [t] + [(1 - t) / (classes - 1)] * (classes - 1) if t is not None else None for t in tops
    ]
    return np.array([[np.nan] * classes if row is None else row for row in rows], np.float32)


def classes_timeline(
    source: Path,
    rows: np.ndarray | None = None,
    classes: Sequence[str] = EMOTIONS,
    window: float = 2.0,
    hop: float = 1.0,
    **more: Any,
) -> Timeline:
    """Windows of 2 s, 1 s apart, of a recording with sound and face throughout."""
    rows = rows_of(0.8, 0.7, 0.9, classes=len(classes)) if rows is None else rows
    starts = hop * np.arange(len(rows))
    duration = float(starts[-1] + window)
    whole = Presence(0.0, 25.0, np.ones(round(25 * duration), bool))
    picture = np.full((36, 48, 3), 200, np.uint8)
    facts: dict[str, Any] = {
        "source": source,
        "duration": duration,
        "presence": {"audio": whole, "video": whole},
        "model": {"name": "toy", "window": window, "licence": "CC0"},
        "key_frames": [KeyFrame(duration * (k + 0.5) / 4, picture) for k in range(4)],
        "classes": list(classes),
        "starts": starts,
        "ends": starts + window,
        "probabilities": rows,
        "window_presence": {"audio": np.ones(len(rows)), "video": np.ones(len(rows))},
    }
    return Timeline(**facts | more)


def values_timeline(source: Path) -> ValuesTimeline:
    """Ten seconds of valence and arousal with a gap."""
    times = np.arange(250) / 25
    values = np.stack([np.sin(times), np.cos(times)], 1).astype(np.float32)
    values[100:150] = np.nan
    return ValuesTimeline(
        source=source,
        duration=10.0,
        presence={"video": Presence(0.0, 25.0, ~np.isnan(values[:, 0]))},
        model={"name": "toy", "window": 4.0},
        dimensions=["valence", "arousal"],
        times=times,
        values=values,
    )
