"""A surface as an image: one panel per change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from affuse.errors import shown
from affuse.tasks.plots import png

_COLOURS = {"audio": "#0077bb", "video": "#cc3311"}
_NAMES = {"av": "sound and images", "audio": "sound alone", "video": "images alone"}
_WHOLE = "0.1"
_COLUMNS = 4


def surface_png(surface: Mapping[str, Any], title: str) -> bytes:
    """A PNG image: the score over the values of each change, with what each modality has alone.

    Args:
        surface: As `surface.json` has it.
        title: Above all.
    """
    return png(_panels, surface, shown(title))


def _panels(surface: Mapping[str, Any], title: str) -> Any:
    from matplotlib.figure import Figure

    changes, before = surface["changes"], surface["unchanged"]
    columns = min(_COLUMNS, len(changes))
    rows = -(-len(changes) // columns)
    figure = Figure((3.1 * columns + 0.4, 2.5 * rows + 1.0), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    whole = next(iter(before))
    for axes, told in zip(panels.flat, changes, strict=False):
        _panel(axes, told, before, whole)
    for axes in panels.flat[len(changes) :]:
        axes.set_visible(False)
    for row in panels:
        row[0].set_ylabel(surface["metric"])
    lines, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=len(labels), fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure


def _panel(axes: Any, told: Mapping[str, Any], before: Mapping[str, Any], whole: str) -> None:
    places = np.arange(len(told["values"]))
    for name, points in told["scores"].items():
        score, low, high = (
            np.array([point[key] for point in points], float) for key in ("score", "low", "high")
        )
        if name == whole:
            axes.fill_between(places, low, high, color=_WHOLE, alpha=0.13, lw=0)
            axes.plot(places, score, color=_WHOLE, marker="o", ms=3.5, label=_NAMES.get(name, name))
        else:
            axes.plot(
                places, score, color=_COLOURS.get(name), ls="--", lw=1.2, label=_NAMES.get(name)
            )
    if before[whole]["score"] is not None:
        axes.axhline(before[whole]["score"], color="0.6", lw=0.9, ls=":", label="nothing changed")
    axes.set_xticks(places, [f"{value:g}" for value in told["values"]])
    axes.set_xlim(-0.3, len(places) - 0.7)
    axes.set_xlabel(told["unit"], fontsize=8)
    axes.set_title(told["change"], fontsize=9)
    axes.tick_params(labelsize=8)
