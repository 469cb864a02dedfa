"""Whether a model takes the speaker for the emotion."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from affuse.evaluation.checks import limits
from affuse.evaluation.checks.examined import Examined
from affuse.evaluation.checks.outcome import Bar, NotApplicable, Outcome
from affuse.tasks.class_scores import ClassTable

#: By which the mean output of speakers may be off, on average, beyond what chance does.
OFF = {"share": 0.05, "value": 0.1}
#: Speakers whose order means something.
LEAST = 5
#: Range of the truth over speakers below which they have no order.
_ALIKE = 0.02


def ranking(model: Examined) -> Outcome:
    """Spearman's correlation of speakers' mean output with their truth, the mean over outputs."""
    _, said, true, index, _ = _clips(model)
    count = int(index.max()) + 1
    if count < LEAST:
        raise NotApplicable(f"{count} speakers; {LEAST} are needed for an order")
    given, truth = _means(said, index), _means(true, index)
    differ = np.flatnonzero(np.ptp(truth, axis=0) > _ALIKE)
    if not len(differ):
        raise NotApplicable("all speakers are alike in truth: there is no order")
    ranks = [np.stack([rankdata(column) for column in x[:, differ].T], 1) for x in (given, truth)]
    each = _correlations(*ranks)
    orders = limits.orders(np.zeros(count, int))
    dealt = [_correlations(ranks[0][order], ranks[1]).mean(-1) for order in orders]
    names = [model.scored.table.names[k] for k in differ]
    return Outcome(
        float(each.mean()),
        limits.upper(np.concatenate(dealt)),
        "above",
        "value",
        f"Spearman's correlation over {count} speakers, mean of {len(differ)} outputs",
        "95 % quantile of 2,000 models that put the same speakers in any order",
        [Bar(name, float(x)) for name, x in zip(names, each, strict=True)],
    )


def average(model: Examined) -> Outcome:
    """How far the mean output of a speaker is from their truth, the mean over speakers."""
    names, said, true, index, strata = _clips(model)
    clips = np.bincount(index)
    if (several := int((clips > 1).sum())) < LEAST:
        raise NotApplicable(f"{several} speakers have more than one clip; {LEAST} are needed")
    errors = said - true
    kind = "value" if model.over_time else "share"
    means = np.abs(_means(errors, index)).mean(1)
    speakers = np.eye(len(clips))[index].T / clips[:, None]
    dealt = [
        np.abs(speakers @ errors[order]).mean((-2, -1))
        for order in limits.orders(strata, draws=limits.DRAWS // 2, width=errors.shape[1])
    ]
    stated = f"{100 * OFF[kind]:.0f} points" if kind == "share" else f"{OFF[kind]}"
    worst = int(means.argmax())
    return Outcome(
        float(means.mean()),
        OFF[kind] + limits.upper(np.concatenate(dealt)),
        "min",
        "points" if kind == "share" else "value",
        f"mean distance over {len(clips)} speakers, largest for {names[worst]}",
        f"{stated} as stated, and the 95 % quantile of 1,000 models that make the same mistakes "
        "with other speakers",
        [Bar(name, float(x)) for name, x in zip(names, means, strict=True)],
    )


def _clips(model: Examined) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Speakers; output and truth (N, M) of clips; the speaker (N,) of each, and its stratum.

    Mistakes are dealt among clips of one true class, or among all where there are values.
    """
    table = model.scored.table
    names, index = np.unique(model.scored_speakers, return_inverse=True)
    if isinstance(table, ClassTable):
        votes = table.votes
        true = np.eye(len(table.names))[table.true]
        true = true if votes is None else votes / votes.sum(1, keepdims=True)
        return names.tolist(), table.probabilities, true, index, table.true
    said, truth = (np.stack([x.mean(0) for x in part]) for part in (table.predicted, table.true))
    return names.tolist(), said.astype(float), truth.astype(float), index, np.zeros(len(index), int)


def _means(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(S, M) means of (N, M) by speaker."""
    sums = np.zeros((int(index.max()) + 1, values.shape[1]))
    np.add.at(sums, index, values)
    return np.asarray(sums / np.bincount(index)[:, None])


def _correlations(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Pearson's (..., M) over speakers of ranks (..., S, M) and (S, M)."""
    x, y = x - x.mean(-2, keepdims=True), y - y.mean(-2, keepdims=True)
    spread = np.sqrt((x**2).sum(-2) * (y**2).sum(-2))
    return np.asarray((x * y).sum(-2) / np.maximum(spread, 1e-12))
