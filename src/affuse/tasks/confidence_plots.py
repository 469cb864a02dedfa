"""Images of how far probabilities can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import shown
from affuse.execution.files import atomic_path
from affuse.metrics.calibration import BINS, calibration
from affuse.metrics.reliability import reliability, selective_risk
from affuse.tasks.class_scores import ClassTable
from affuse.tasks.plots import png

#: Share of the clips from which on the risk is drawn in full; of the first few it is anything.
_SETTLED = 0.1


def write_confidence_plots(out: Path, tables: Mapping[str, ClassTable], title: str) -> None:
    """Write `reliability.png` and `selective-risk.png`.

    Args:
        out: Folder.
        tables: Condition -> predictions.
        title: Above each image.
    """
    for name, draw in (("reliability", _reliability), ("selective-risk", _selective_risk)):
        with atomic_path(out / f"{name}.png") as path:
            path.write_bytes(png(draw, tables, shown(title)))


def _reliability(tables: Mapping[str, ClassTable], title: str) -> Any:
    """A column per condition: accuracy over confidence, below clips in each bin."""
    from matplotlib.figure import Figure

    figure = Figure((3.1 * len(tables) + 0.5, 4.1), layout="constrained")
    rows = figure.subplots(
        2, len(tables), squeeze=False, sharex=True, sharey="row", height_ratios=[3, 1]
    )
    for (condition, table), above, below in zip(tables.items(), *rows, strict=True):
        found = reliability(table.probabilities, table.true)
        error = calibration(table.probabilities, table.true).ece
        centres = (np.arange(BINS) + 0.5) / BINS
        above.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--", zorder=0)
        there = found.clips > 0
        above.vlines(
            found.confidence[there],
            found.confidence[there],
            found.accuracy[there],
            color="0.8",
            lw=2,
            zorder=1,
        )
        above.plot(found.confidence[there], found.accuracy[there], "o-", color="C0", ms=4, lw=1)
        above.set_title(f"{shown(condition)}: ECE {error:.3f}", fontsize=9)
        above.set_xlim(0, 1)
        above.set_ylim(0, 1)
        below.bar(centres, found.clips, 0.9 / BINS, color="0.75")
        for x, count in zip(centres, found.clips, strict=True):
            if count:
                below.annotate(
                    str(count),
                    (x, count),
                    (0, 1),
                    textcoords="offset points",
                    ha="center",
                    fontsize=6,
                )
        below.margins(y=0.25)
        below.set_xlabel("confidence")
    rows[0][0].set_ylabel("accuracy")
    rows[1][0].set_ylabel("clips")
    figure.suptitle(title, fontsize=10)
    return figure


def _selective_risk(tables: Mapping[str, ClassTable], title: str) -> Any:
    """A line per condition."""
    from matplotlib.figure import Figure

    figure = Figure((5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    highest = 0.0
    for condition, table in tables.items():
        kept, risk = selective_risk(table.probabilities, table.true)
        label = f"{shown(condition)}, area {risk.mean():.3f}"
        axes.plot(100 * kept, 100 * risk, lw=1.4, label=label)
        highest = max(highest, float(risk[kept >= _SETTLED].max()))
    axes.set_xlim(0, 100)
    axes.set_ylim(0, max(1.0, 105 * highest))
    axes.set_xlabel("clips that are kept, most certain first, %")
    axes.set_ylabel("error, %")
    axes.grid(color="0.92", lw=0.8)
    axes.legend(frameon=False, fontsize=8)
    axes.set_title(title, fontsize=10)
    return figure
