"""A timeline as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from affuse.execution.files import atomic_path
from affuse.inference.timeline import Presence, Timeline

#: One colour per class, told apart also by readers who confuse red and green (after Paul Tol).
COLOURS = (
    "#7f7f7f",
    "#33bbee",
    "#ddaa33",
    "#004488",
    "#cc3311",
    "#aa4499",
    "#117733",
    "#ee7733",
    "#882255",
    "#44aa99",
)


def plot_timeline(timeline: Timeline, path: Path) -> None:
    """Draw key frames, the probability of each class over time, and when sound and face were there.

    Args:
        timeline: What is drawn.
        path: The PNG.
    """
    from matplotlib.figure import Figure

    frames = timeline.key_frames
    heights = ([1.0] if frames else []) + [3.2, 0.3 * len(timeline.presence)]
    figure = Figure((10, 1.4 + sum(heights)), layout="constrained")
    rows = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights, squeeze=False)[:, 0]
    if frames:
        _draw_frames(rows[0], timeline)
    _draw_curves(rows[-2], timeline)
    _draw_presence(rows[-1], timeline)
    figure.suptitle(
        f"{timeline.source.name}: {timeline.emotion} ({timeline.overall.max():.2f} on average)",
        fontsize=11,
    )
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)


def _draw_frames(axes: Any, timeline: Timeline) -> None:
    """Each key frame in its place in time."""
    axes.set_axis_off()
    step = timeline.duration / len(timeline.key_frames)
    axes.set_ylim(0, 1)
    box = axes.get_window_extent()
    for frame in timeline.key_frames:
        height, width = frame.picture.shape[:2]
        # half the width of the picture in seconds when it fills the height of the axes
        half = 0.5 * timeline.duration * (box.height / box.width) * width / height
        half = min(half, 0.49 * step)
        tall = min(
            1.0, half / (0.5 * timeline.duration * (box.height / box.width) * width / height)
        )
        axes.imshow(
            frame.picture,
            extent=(frame.time - half, frame.time + half, 0.5 - tall / 2, 0.5 + tall / 2),
            aspect="auto",
        )
    axes.set_xlim(0, timeline.duration)


def _draw_curves(axes: Any, timeline: Timeline) -> None:
    times, rows = timeline.curve()
    for k, name in enumerate(timeline.classes):
        axes.plot(times, rows[:, k], color=COLOURS[k % len(COLOURS)], label=name, lw=1.8)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(0, timeline.duration)
    axes.set_ylabel("probability")
    axes.grid(alpha=0.25)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)


def _draw_presence(axes: Any, timeline: Timeline) -> None:
    """A bar per modality, filled where it was there."""
    names = list(timeline.presence)
    for row, name in enumerate(names):
        for start, end in presence_spans(timeline.presence[name], timeline.duration):
            axes.barh(row, end - start, left=start, height=0.6, color="#4477aa")
    labels = {"audio": "sound", "video": "face"}
    axes.set_yticks(
        range(len(names)),
        [f"{labels.get(n, n)} {timeline.presence[n].share:.0%}" for n in names],
    )
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_xlabel("seconds")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def presence_spans(presence: Presence, duration: float) -> list[tuple[float, float]]:
    """(start, end) in seconds of the stretches in which a modality was there."""
    if presence.rate == 0:
        return [(0.0, duration)] if presence.present.any() else []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], presence.present.astype(int), [0]])))
    times = np.clip(presence.start + (edges - 0.5) / presence.rate, 0, duration)
    return [(float(a), float(b)) for a, b in times.reshape(-1, 2)]
