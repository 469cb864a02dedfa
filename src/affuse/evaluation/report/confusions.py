"""Confusion matrices as tables whose cells are shaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affuse.errors import shown
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.tables import Row, Table


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix.

    Args:
        model: Of which model.
        condition: Under which condition.
        classes: C names.
        counts: (C, C), rows are the true classes.
        shares: (C, C) of each true class; 0 where there is no clip.
    """

    model: str
    condition: str
    classes: list[str]
    counts: list[list[int]]
    shares: list[list[float]]


def confusions(evaluated: Sequence[Evaluated]) -> list[Confusion]:
    """A matrix for each model and condition of classes."""
    return [
        _confusion(one.name, condition, scores["classes"], np.array(scores["confusion"]))
        for one in evaluated
        for condition, scores in one.conditions.items()
        if "confusion" in scores
    ]


def _confusion(model: str, condition: str, classes: list[str], counts: np.ndarray) -> Confusion:
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    names = [shown(name) for name in classes]
    return Confusion(model, condition, names, counts.tolist(), shares.round(3).tolist())


def confusion_table(matrix: Confusion) -> Table:
    """The same as a table of counts."""
    rows: list[Row] = [
        {"true": name, **dict(zip(matrix.classes, row, strict=True))}
        for name, row in zip(matrix.classes, matrix.counts, strict=True)
    ]
    caption = f"Confusions of {matrix.model}, {matrix.condition}: rows are the true classes"
    name = f"confusion-{matrix.model}-{matrix.condition}".replace("/", "-")
    return Table(name, caption, rows)
