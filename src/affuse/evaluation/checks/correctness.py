"""How often a model is right, class by class, and whether it favours some."""

from __future__ import annotations

import numpy as np

from affuse.evaluation.checks import limits
from affuse.evaluation.checks.examined import Examined
from affuse.evaluation.checks.outcome import Bar, Best, NotApplicable, Outcome, Unit
from affuse.metrics.classification import class_rates, confusion_scores
from affuse.metrics.concordance import ccc
from affuse.metrics.jackknife import group_sums
from affuse.tasks.class_scores import ClassTable

#: Share of the answers of a class that are to be right.
PRECISION = 0.5
#: By which the share of a class, or the mean of a dimension, may be off.
OFF = {"share": 0.05, "value": 0.1}
_FRAMES = 100  # of a clip whose values are dealt
_DRAWS = 500  # of them
_GUESSING = "95 % quantile of 2,000 models that give the same answers to other clips"


def recall_above_chance(model: Examined) -> Outcome:
    """The unweighted average recall, beside that of a model that guesses."""
    table = model.classes
    measured = float(table.scores(table.sums.sum(0))["uar"])
    limit = limits.upper(confusion_scores(_guessed(table))["uar"])
    said = f"unweighted average recall of {len(table.true)} clips"
    return Outcome(measured, limit, "above", "share", said, _GUESSING)


def recall_of_each(model: Examined) -> Outcome:
    """The recall of the class that is least above what guessing finds of it."""
    table = model.classes
    found = class_rates(table.confusion(table.sums.sum(0)))["recall"]
    guessed = class_rates(_guessed(table))["recall"]
    there = np.flatnonzero(~np.isnan(found))
    limit = {k: limits.upper(guessed[:, k]) for k in there}
    bars = [Bar(table.names[k], float(found[k]), limit[k]) for k in there]
    return _least(bars, "recall", _GUESSING)


def precision_of_each(model: Examined) -> Outcome:
    """The precision of the class that is least above, or furthest below, its limit."""
    table = model.classes
    found = class_rates(table.confusion(table.sums.sum(0)))["precision"]
    bars = []
    for k in np.flatnonzero(~np.isnan(found)):
        named = np.array(model.scored.clips)[table.predicted == k]
        chance = limits.shares([PRECISION], model.counts(named))[:, 0]
        bars.append(Bar(table.names[k], float(found[k]), limits.lower(chance)))
    why = f"5 % quantile of 2,000 models of which {PRECISION:.0%} of such answers are right"
    return _least(bars, "precision", why, "max")


def agreement_above_chance(model: Examined) -> Outcome:
    """The CCC of the dimension that is least above that of a model that guesses."""
    table = model.series
    if len(table.true) < 5:
        raise NotApplicable(f"{len(table.true)} clips; five are needed")
    measured = table.scores(table.sums.sum(0))
    thin = [
        np.linspace(0, len(x) - 1, min(len(x), _FRAMES)).round().astype(int) for x in table.true
    ]
    true = [x[rows] for x, rows in zip(table.true, thin, strict=True)]
    dealt = np.empty((_DRAWS, len(table.names)))
    found = limits.orders(np.zeros(len(true), int), _DRAWS, 1)
    for draw, order in enumerate(row for part in found for row in part):
        other = [_as_long(table.predicted[k], len(x)) for k, x in zip(order, true, strict=True)]
        for d, (x, y) in enumerate(
            zip(np.concatenate(other).T, np.concatenate(true).T, strict=True)
        ):
            dealt[draw, d] = ccc(x, y)
    bars = [
        Bar(name, float(measured[f"ccc_{name}"]), limits.upper(dealt[:, d]))
        for d, name in enumerate(table.names)
    ]
    why = "95 % quantile of 500 models that give the same values to other clips"
    return _least(bars, "CCC", why, unit="value")


def balance(model: Examined) -> Outcome:
    """How much more or less often a class is named than it occurs, or how far a mean is off."""
    scored, table = model.scored, model.scored.table
    if isinstance(table, ClassTable):
        one = np.eye(len(table.names))
        errors, total, kind = one[table.predicted] - one[table.true], len(table.true), "share"
    else:
        pairs = zip(table.predicted, table.true, strict=True)
        errors = np.stack([(x - y).sum(0) for x, y in pairs]).astype(float)
        total, kind = sum(map(len, table.true)), "value"
    rows = group_sums(errors, model.scored_speakers)
    if 2 ** (len(rows) - 1) < limits.LEAST_WAYS:
        raise NotApplicable(f"{len(rows)} speakers; seven are needed to tell chance from bias")
    off = errors.sum(0) / total
    limit = OFF[kind] + limits.balance_limit(rows) / total
    bars = [Bar(name, float(x), limit) for name, x in zip(table.names, off, strict=True)]
    worst = max(bars, key=lambda bar: abs(bar.value))
    what = "named less true share" if kind == "share" else "mean less true mean"
    stated = f"{100 * OFF[kind]:.0f} points" if kind == "share" else f"{OFF[kind]}"
    return Outcome(
        abs(worst.value),
        limit,
        "min",
        "points" if kind == "share" else "value",
        f"{what}, largest for {worst.name} ({len(scored.clips)} clips)",
        f"{stated} as stated, and the 95 % quantile of 2,000 models whose mistakes of each "
        "speaker are turned round by a coin",
        bars,
    )


def _guessed(table: ClassTable) -> np.ndarray:
    """(draws, C, C) confusions of the same answers to other clips."""
    classes = len(table.names)
    found = []
    for orders in limits.orders(np.zeros(len(table.true), int)):
        cells = table.true * classes + table.predicted[orders]
        cells += np.arange(len(cells))[:, None] * classes**2
        counts = np.bincount(cells.ravel(), minlength=len(cells) * classes**2)
        found.append(counts.reshape(len(cells), classes, classes))
    return np.concatenate(found)


def _as_long(values: np.ndarray, count: int) -> np.ndarray:
    """(count, D) rows of (n, D), spread evenly."""
    return values[np.linspace(0, len(values) - 1, count).round().astype(int)]


def _least(
    bars: list[Bar], what: str, why: str, best: Best = "above", unit: Unit = "share"
) -> Outcome:
    """The part that is furthest below its limit, or least above."""
    worst = min(bars, key=lambda bar: bar.value - (bar.limit or 0.0))
    return Outcome(
        worst.value,
        worst.limit or 0.0,
        best,
        unit,
        f"{what} of {worst.name}, of {len(bars)} the nearest to its limit or the furthest below",
        why,
        bars,
    )
