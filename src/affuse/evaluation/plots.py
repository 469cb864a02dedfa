"""Pictures of scores."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np


def confusion_png(confusion: np.ndarray, classes: Sequence[str], title: str) -> bytes:
    """A confusion matrix as a PNG picture: counts, coloured by the share of the true class.

    Args:
        confusion: (C, C) int, rows are the true classes.
        classes: C names.
        title: Above the matrix.
    """
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
    picture = BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    return picture.getvalue()
