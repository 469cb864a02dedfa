"""Responses to events as tables and an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import shown
from affuse.evaluation.responses import Mean, Response, row_means
from affuse.execution.figures import plain_figures
from affuse.execution.files import atomic_path, write_csv
from affuse.inference.colours import DIMENSION_COLOURS, colours_of

_EVENT = ("recording", "person", "speaker", "condition", "time")
#: Of the curves, one after the other.
_COLUMNS = 3


def write_responses(
    folder: Path, found: Sequence[Response], means: Sequence[Mean], offsets: np.ndarray
) -> None:
    """Write `responses.csv` (a row per event, timeline and signal), `means.csv` (a row per
    condition, signal and offset) and `means.png` (a curve per condition).

    Args:
        folder: Made where there is none.
        found: The responses.
        means: Of the conditions.
        offsets: (O,) seconds from the event.
    """
    write_csv(
        folder / "responses.csv",
        [*_EVENT, "signal", "before", "after", "change"],
        [
            [
                response.timeline.recording,
                response.timeline.person,
                response.event.speaker,
                response.event.condition,
                f"{response.event.time:.3f}",
                signal,
                *map(_number, (before, after, after - before)),
            ]
            for response in found
            for signal, values in response.values.items()
            for before, after in [_halves(values, offsets)]
        ],
    )
    write_csv(
        folder / "means.csv",
        ["condition", "signal", "offset", "mean", "low", "high", "responses", "groups"],
        [
            [
                mean.condition,
                mean.signal,
                f"{offset + 0.0:.3f}",
                *map(_number, row),
                mean.responses,
                mean.groups,
            ]
            for mean in means
            for offset, row in zip(offsets, mean.curve, strict=True)
        ],
    )
    with plain_figures(), atomic_path(folder / "means.png") as temporary:
        _figure(means, offsets).savefig(temporary, dpi=110)


def _halves(values: np.ndarray, offsets: np.ndarray) -> tuple[float, float]:
    """Means before and after an event."""
    before, after = (row_means(values[None, part]) for part in (offsets < 0, offsets >= 0))
    return float(before[0]), float(after[0])


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6f}"


def _figure(means: Sequence[Mean], offsets: np.ndarray) -> Any:
    """Axes per signal, a curve with its interval per condition."""
    from matplotlib.figure import Figure

    signals = list(dict.fromkeys(mean.signal for mean in means))
    conditions = list(dict.fromkeys(mean.condition for mean in means))
    colours = dict(
        zip(
            conditions,
            DIMENSION_COLOURS
            if len(conditions) <= len(DIMENSION_COLOURS)
            else colours_of(conditions),
            strict=False,
        )
    )
    columns = min(_COLUMNS, len(signals))
    rows = -(-len(signals) // columns)
    figure = Figure((1 + 3.6 * columns, 1 + 2.6 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(signals) :]:
        axes.set_axis_off()
    for signal, axes in zip(signals, grid.flat, strict=False):
        axes.axvline(0, color="#444444", lw=0.8)
        for mean in (mean for mean in means if mean.signal == signal):
            value, low, high = mean.curve.T
            colour = colours[mean.condition]
            axes.plot(offsets, value, color=colour, lw=1.8, label=shown(mean.condition))
            axes.fill_between(offsets, low, high, color=colour, alpha=0.2, lw=0)
        axes.set_title(shown(signal), fontsize=10)
        axes.set_xlim(offsets[0], offsets[-1])
        axes.tick_params(labelbottom=True)
        axes.grid(alpha=0.25)
    figure.supxlabel("seconds from the event")
    handles, labels = grid.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return figure
