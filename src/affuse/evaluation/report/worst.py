"""The clips that a model is most wrong about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affuse.evaluation.predictions import Predictions
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.tables import HEADS, Row, Table, led
from affuse.tasks.class_scores import ClassTable

#: Task -> what the worst clips are, and the column by which they are ordered.
WORST = {
    "classification": "Clips that the model is wrong about, the most confident first",
    "distribution": "Clips whose votes the model misses most, by the Kullback-Leibler divergence",
    "valence-arousal": "Videos with the largest root of the mean squared error",
}


@dataclass(frozen=True)
class WorstClip:
    """A clip that a model is wrong about.

    Args:
        clip: Its id.
        row: What a table says of it.
    """

    clip: str
    row: Row

    @property
    def sentence(self) -> str:
        """The row in a line."""
        return ", ".join(f"{name} {x}" for name, x in self.row.items() if name != "clip")


def worst_clips(part: Predictions, task: str, count: int) -> list[WorstClip]:
    """The worst clips of a model under a condition.

    Args:
        part: What was predicted.
        task: What was learned.
        count: How many at most.
    """
    table = part.table
    if isinstance(table, ClassTable):
        votes = task == "distribution" and table.votes is not None
        found = (
            _by_divergence(part, table, count) if votes else _confidently_wrong(part, table, count)
        )
    else:
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = {name: table.scores(table.sums)[name] for name in ("rmse", "ccc")}
        order = _largest(scores["rmse"], part.clips, count)
        found = [(k, {HEADS[n]: _number(scores[n][k]) for n in scores}) for k in order]
    return [WorstClip(part.clips[k], _lead(part, k) | row) for k, row in found]


def worst_table(evaluated: Sequence[Evaluated], count: int) -> Table | None:
    """The worst clips of every model under its first condition."""
    task = min(one.task for one in evaluated)
    rows = [
        led(one, evaluated, clip.row)
        for one in evaluated
        for clip in worst_clips(one.first, task, count)
    ]
    heads = 1 + (len(evaluated) > 1)
    return Table("worst", WORST[task], rows, heads=heads) if rows else None


def _lead(part: Predictions, k: int) -> Row:
    row: Row = {"clip": part.keys[k]}
    return row if part.speakers is None else row | {"speaker": str(part.speakers[k])}


def _confidently_wrong(part: Predictions, table: ClassTable, count: int) -> list[tuple[int, Row]]:
    sure = table.probabilities[np.arange(len(table.true)), table.predicted]
    wrong = np.flatnonzero(~table.correct())
    clips = [part.clips[k] for k in wrong]
    order = [int(wrong[k]) for k in _largest(sure[wrong], clips, count)]
    return [
        (
            k,
            {
                "true": table.names[table.true[k]],
                "predicted": table.names[table.predicted[k]],
                "confidence": f"{sure[k]:.3f}",
                "probability of the true class": f"{table.probabilities[k, table.true[k]]:.3f}",
            },
        )
        for k in order
    ]


def _by_divergence(part: Predictions, table: ClassTable, count: int) -> list[tuple[int, Row]]:
    assert table.votes is not None
    apart = table.scores(table.sums)["divergence"]
    return [
        (
            k,
            {
                "votes": _shares(table.names, table.votes[k] / table.votes[k].sum()),
                "predicted": _shares(table.names, table.probabilities[k]),
                "KL": f"{apart[k]:.3f}",
            },
        )
        for k in _largest(apart, part.clips, count)
    ]


def _shares(names: Sequence[str], shares: np.ndarray) -> str:
    """The largest shares in words."""
    order = [k for k in np.argsort(-shares, kind="stable")[:2] if shares[k] >= 0.005]
    return ", ".join(f"{names[k]} {shares[k]:.2f}" for k in order)


def _number(value: float) -> str | None:
    return f"{value:.3f}" if np.isfinite(value) else None


def _largest(values: np.ndarray, clips: Sequence[str], count: int) -> list[int]:
    """Places of the largest values first, of equal ones by the ids of their clips."""
    order = sorted(range(len(values)), key=lambda k: (-values[k], clips[k]))
    return [k for k in order if np.isfinite(values[k])][:count]
