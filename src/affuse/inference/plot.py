"""A timeline as an image."""

from __future__ import annotations

from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import shown
from affuse.execution.figures import plain_figures
from affuse.execution.files import atomic_path
from affuse.inference.attribution.figures import EXPLAINED_HEIGHTS, draw_explanation
from affuse.inference.attribution.heat import heated_frames, is_tinted
from affuse.inference.circumplex import WORDS, drawn, place, plane_of, side
from affuse.inference.colours import AGAINST, DIMENSION_COLOURS, FOR, colours_of
from affuse.inference.quality_marks import low_spans, low_summary
from affuse.tasks.prediction import Prediction
from affuse.tasks.presence import Presence
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline

#: Characters of a title; longer names lose their middle.
_TITLE = 90


def plot_timeline(timeline: Prediction, path: Path) -> None:
    """Draw key frames, what the model says over time, and when sound and face were there.

    Values of valence and arousal also as a way through the circumplex plane.

    Args:
        timeline: What is drawn.
        path: The PNG, or what else matplotlib writes, by its suffix.
    """
    with plain_figures(), atomic_path(path) as temporary:
        figure_of(timeline).savefig(temporary, dpi=110)


def draw_curves(timeline: Prediction, axes: Any) -> None:
    """Draw what the model says over time, with times in seconds, into axes of matplotlib."""
    _draw_curves(timeline, axes)
    axes.set_xlabel("seconds")


def figure_of(timeline: Prediction) -> Any:
    """The figure of `plot_timeline`; to be called within `plain_figures`."""
    from matplotlib.figure import Figure

    frames = timeline.key_frames
    heights = ([1.0] if frames else []) + [
        3.2,
        0.3 * (len(timeline.presence) + bool(low_spans(timeline))),
    ]
    explained = timeline.explanation is not None and timeline.explanation.known.any()
    if explained:
        heights[-1:-1] = EXPLAINED_HEIGHTS
    height = 1.4 + sum(heights)
    plane = plane_of(timeline)
    width = 0.0 if plane is None else 1.15 * (height - explained * sum(EXPLAINED_HEIGHTS))
    figure = Figure((10 + width, height), layout="constrained")
    grid = figure.add_gridspec(
        len(heights),
        1 if plane is None else 2,
        height_ratios=heights,
        width_ratios=None if plane is None else (10, width),
    )
    last = figure.add_subplot(grid[-1, 0])
    rows = [figure.add_subplot(grid[k, 0], sharex=last) for k in range(len(heights) - 1)]
    if frames:
        _draw_frames(rows[0], timeline)
    if explained:
        *_, curves, contributions, withheld = rows
        draw_explanation(timeline, contributions, withheld)
    else:
        curves = rows[-1]
    _draw_curves(timeline, curves)
    curves.tick_params(labelbottom=False)
    _draw_presence(last, timeline)
    if plane is not None:
        _draw_plane(figure, figure.add_subplot(grid[:, 1]), timeline, plane)
    average = " on average" if timeline.known.any() else ""
    name = _shortened(timeline.title)
    title = f"{name}: {shown(timeline.headline)}{average}"
    if timeline.explanation:
        title = "\n".join([title, *timeline.explanation.sentences])
    figure.suptitle(title, fontsize=11)
    return figure


def _shortened(name: str) -> str:
    """A name that fits into a title; its end tells more than its middle."""
    half = _TITLE // 2
    return name if len(name) <= _TITLE else f"{name[:half]} ... {name[-half:]}"


def _draw_frames(axes: Any, timeline: Prediction) -> None:
    """Each key frame in its place in time."""
    axes.set_axis_off()
    step = timeline.duration / len(timeline.key_frames)
    axes.set_ylim(0, 1)
    box = axes.get_window_extent()
    if is_tinted(timeline):
        _draw_key(axes, timeline)
    for frame in heated_frames(timeline):
        height, width = frame.picture.shape[:2]
        # half the width of the image in seconds when it fills the height of the axes
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


def _draw_key(axes: Any, timeline: Prediction) -> None:
    """What the tints of key frames say."""
    assert timeline.explanation is not None
    found = timeline.explanation
    name, values = shown(found.outputs[found.main[0]]), found.unit == "value"
    words = [
        (FOR, 0.7, "red: raised" if values else "red: spoke for"),
        (AGAINST, 0.5, "blue: lowered" if values else "blue: against"),
        ("#333333", 0.3, name),
    ]
    for colour, y, text in words:
        axes.text(1.015, y, text, transform=axes.transAxes, color=colour, fontsize=9, va="center")


@singledispatch
def _draw_curves(timeline: Prediction, axes: Any) -> None:
    """What the model says over time."""
    raise TypeError(f"{type(timeline).__name__} has no curves")


@_draw_curves.register
def _draw_probabilities(timeline: Timeline, axes: Any) -> None:
    """Points at the middle of their windows; thin lines for the half windows at both ends."""
    colours = colours_of(timeline.classes)
    rows = timeline.probabilities
    for k, (name, colour) in enumerate(zip(timeline.classes, colours, strict=True)):
        axes.plot([], [], color=colour, label=shown(name), lw=1.8)
        for first, end in timeline.parts:
            marks = {"marker": "o", "ms": 4} if end - first == 1 else {}
            times = timeline.centres[first:end]
            axes.plot(times, rows[first:end, k], color=colour, lw=1.8, **marks)
        for start, end_, window in timeline.edges:
            axes.plot((start, end_), (rows[window, k],) * 2, color=colour, lw=0.8, ls=":")
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel("probability")
    _finish_curves(axes, timeline)


@_draw_curves.register
def _draw_values(timeline: ValuesTimeline, axes: Any) -> None:
    for start, end in timeline.gaps:
        axes.axvspan(start, end, color="#eeeeee", lw=0)
    axes.axhline(0, color="#444444", lw=0.8)
    for k, name in enumerate(timeline.dimensions):
        for number, part in enumerate(drawn(timeline)):
            axes.plot(
                timeline.times[part],
                timeline.values[part, k],
                color=DIMENSION_COLOURS[k],
                label=name if number == 0 else None,
                lw=1.6,
            )
    axes.set_ylim(-1.02, 1.02)
    _finish_curves(axes, timeline)


def _finish_curves(axes: Any, timeline: Prediction) -> None:
    axes.set_xlim(0, timeline.duration)
    axes.grid(alpha=0.25)
    if axes.get_legend_handles_labels()[0]:  # else all is withheld
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)


def _draw_presence(axes: Any, timeline: Prediction) -> None:
    """A bar per modality, filled where it was there, and one where their quality is low."""
    names = list(timeline.presence)
    for row, name in enumerate(names):
        for start, end in presence_spans(timeline.presence[name], timeline.duration):
            axes.barh(row, end - start, left=start, height=0.6, color="#4477aa")
    words = {"audio": "sound", "video": "face"}
    labels = [
        f"{words.get(n, n)} {timeline.presence[n].summary}".replace(", of", ",\nof") for n in names
    ]
    if low := low_spans(timeline):
        for start, end in low:
            axes.barh(len(labels), end - start, left=start, height=0.6, color="#ee8866")
        labels.append(f"low quality {low_summary(timeline)}".replace(" (", "\n(", 1))
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(-0.5, len(labels) - 0.5)
    axes.set_xlim(0, timeline.duration)
    axes.set_xlabel("seconds")
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)


def _draw_plane(figure: Any, axes: Any, timeline: Any, plane: np.ndarray) -> None:
    """The way through the plane, coloured by time."""
    from matplotlib.collections import LineCollection
    from matplotlib.patches import Circle

    axes.add_patch(Circle((0, 0), 1, fill=False, color="#999999", lw=1))
    axes.plot((-1, 1), (0, 0), color="#cccccc", lw=0.8, zorder=0)
    axes.plot((0, 0), (-1, 1), color="#cccccc", lw=0.8, zorder=0)
    for word in WORDS:
        x, y = place(word, 1.07)
        anchor = {-1: "right", 0: "center", 1: "left"}[side(word)]
        axes.text(x, y, word, ha=anchor, va="center", fontsize=9, color="#555555")
    parts = drawn(timeline)
    segments = [np.stack([plane[p[:-1]], plane[p[1:]]], 1) for p in parts if len(p) > 1]
    moments = [timeline.times[p[:-1]] for p in parts if len(p) > 1]
    joined = [segment for part in segments for segment in part]
    lines = LineCollection(joined, cmap="viridis", lw=1.5, alpha=0.9)
    lines.set_array(np.concatenate([np.zeros(0), *moments]))
    lines.set_clim(0, timeline.duration)
    axes.add_collection(lines)
    axes.set_xlim(-1.75, 1.75)
    axes.set_ylim(-1.25, 1.25)
    axes.set_aspect("equal")
    axes.set_xticks(())
    axes.set_yticks(())
    axes.set_xlabel("valence")
    axes.set_ylabel("arousal")
    for edge in ("top", "right", "left", "bottom"):
        axes.spines[edge].set_visible(False)
    figure.colorbar(lines, ax=axes, label="seconds", orientation="horizontal", shrink=0.5, pad=0.02)


def presence_spans(presence: Presence, duration: float) -> list[tuple[float, float]]:
    """(start, end) in seconds of the stretches in which a modality was there."""
    return [(a, min(b, duration)) for a, b in presence.spans]
