"""Images of scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from affuse.errors import shown
from affuse.execution.figures import plain_figures
from affuse.metrics.concordance import ccc


def confusion_png(confusion: np.ndarray, classes: Sequence[str], title: str) -> bytes:
    """A confusion matrix as a PNG image: counts, coloured by the share of the true class.

    Args:
        confusion: (C, C) int, rows are the true classes.
        classes: C names.
        title: Above the matrix.
    """
    return png(_confusion, confusion, [shown(name) for name in classes], shown(title))


def _confusion(confusion: np.ndarray, classes: Sequence[str], title: str) -> Any:
    from matplotlib.figure import Figure

    share = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    size = 1.6 + 0.62 * len(classes)
    figure = Figure((size + 0.6, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, vmin=0, vmax=1, cmap="Blues")
    for row in range(len(classes)):
        for column in range(len(classes)):
            if confusion[row, column]:
                colour = "white" if share[row, column] > 0.55 else "black"
                axes.text(
                    column,
                    row,
                    str(confusion[row, column]),
                    ha="center",
                    va="center",
                    color=colour,
                    fontsize=9,
                )
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, ax=axes, fraction=0.045, label="share of the true class")
    return figure


def curves_png(
    clips: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
    names: Sequence[str],
    title: str,
) -> bytes:
    """Predicted and annotated continuous valence and arousal as a PNG image: a row per clip.

    Args:
        clips: What is written above, times (T,) in seconds, predicted (T, D) and annotated (T, D)
            values; NaN where nobody annotated.
        names: Of the D dimensions.
        title: Above all.
    """
    shown_clips = [(shown(name), *values) for name, *values in clips]
    return png(_curves, shown_clips, [shown(name) for name in names], shown(title))


def _curves(clips: Sequence[Any], names: Sequence[str], title: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure((5.0 * len(names) + 0.5, 1.9 * len(clips) + 0.9), layout="constrained")
    panels = figure.subplots(len(clips), len(names), squeeze=False, sharey=True)
    for row, (label, times, predicted, annotated) in zip(panels, clips, strict=True):
        for d, (axes, name) in enumerate(zip(row, names, strict=True)):
            axes.plot(times, annotated[:, d], color="0.45", lw=1.6)
            axes.plot(times, predicted[:, d], color=f"C{d}")
            axes.axhline(0, color="0.85", lw=0.8, zorder=0)
            axes.set_ylim(-1.05, 1.05)
            axes.set_xlim(0, times[-1] if len(times) > 1 else 1)
            there = ~np.isnan(annotated[:, d])
            agreement = ccc(predicted[there, d], annotated[there, d])
            axes.set_title(f"{label}: {name}, CCC {agreement:.2f}", fontsize=9)
    for axes in panels[-1]:
        axes.set_xlabel("seconds")
    figure.suptitle(f"{title} (grey: annotated)", fontsize=10)
    return figure


def png(draw: Callable[..., Any], *facts: Any) -> bytes:
    """What a figure looks like, names as they are written.

    Args:
        draw: Makes the figure.
        facts: What it is given.
    """
    picture = BytesIO()
    with plain_figures():
        draw(*facts).savefig(picture, format="png", dpi=110)
    return picture.getvalue()
