"""The scores of a report as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from affuse.evaluation.paper_tables import Rows, is_number
from affuse.evaluation.report.evaluated import Evaluated
from affuse.metrics.over_time import SERIES_METRICS
from affuse.tasks.class_scores import CLASS_METRICS, RATER_METRICS

Row = dict[str, object]

#: What metrics are called at the head of a column.
HEADS = {
    "accuracy": "accuracy",
    "uar": "UAR",
    "macro_f1": "macro F1",
    "weighted_f1": "weighted F1",
    "nll": "NLL",
    "brier": "Brier",
    "ece": "ECE",
    "divergence": "KL",
    "jensen_shannon": "JS",
    "cross_entropy": "cross-entropy",
    "agreement": "agreement",
    "ccc": "CCC",
    "ccc_per_video": "CCC per video",
    "pcc": "PCC",
    "rmse": "RMSE",
    "mae": "MAE",
    "sagr": "SAGR",
}
#: The raters' own, which have no interval.
_CEILINGS = {
    "rater_entropy": "raters' entropy",
    "rater_agreement": "agreement of raters",
    "human_ceiling": "with most raters",
}


#: What results of earlier versions lack.
_INTERVAL = "uar_interval_95"


@dataclass(frozen=True)
class Table:
    """A table of a report.

    Args:
        name: Of its files, without the suffix.
        caption: Above it.
        rows: At least one, all with the same keys; a cell is text, a number or None.
        note: Below it.
        heads: How many of its first columns say what a row is of.
    """

    name: str
    caption: str
    rows: Rows
    note: str = ""
    heads: int = 1

    @property
    def numeric(self) -> list[str]:
        """The columns of numbers, but those that say what a row is of."""
        columns = list(self.rows[0])[self.heads :]
        return [name for name in columns if all(is_number(row[name]) for row in self.rows)]


def cell(scores: Mapping[str, Any], metric: str) -> str | None:
    """A score with its 95 % interval, such as `0.836 [0.758, 0.892]`; None where undefined."""
    value = scores.get(metric)
    if value is None:
        return None
    low, high = scores.get(f"{metric}_interval_95") or (None, None)
    return f"{value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def score_tables(evaluated: Sequence[Evaluated]) -> list[Table]:
    """Scores by condition, by corpus, and beside raters; by class; sets and bands.

    Args:
        evaluated: What the report is about; all of one task.
    """
    makers = (_scores, _by_corpus, _raters, _recalls, _classes, _sets, _bands)
    return [table for make in makers if (table := make(evaluated)) is not None]


def led(one: Evaluated, several: Sequence[Evaluated], rest: Row) -> Row:
    """A row that begins with the name of the model, where there are several."""
    return {"model": one.name, **rest} if len(several) > 1 else rest


def _each(
    evaluated: Sequence[Evaluated],
) -> Iterator[tuple[Evaluated, str, Mapping[str, Any]]]:
    """Model, condition and scores."""
    for one in evaluated:
        for condition, scores in one.conditions.items():
            yield one, condition, scores


def _table(
    evaluated: Sequence[Evaluated],
    name: str,
    caption: str,
    rows: Sequence[Row],
    note: str = "",
    heads: int = 1,
) -> Table | None:
    """A table whose rows begin with the model, where there are several; None without rows."""
    more = heads + (len(evaluated) > 1)
    return Table(name, caption, _filled(rows), note, more) if rows else None


def _filled(rows: Sequence[Row]) -> list[Row]:
    """Rows with the columns in which any of them has something, in the order of the first rows."""
    columns = dict.fromkeys(name for row in rows for name in row)
    used = [name for name in columns if any(row.get(name) is not None for row in rows)]
    return [{name: row.get(name) for name in used} for row in rows]


def _scores(evaluated: Sequence[Evaluated]) -> Table | None:
    rows: list[Row] = []
    for one, condition, scores in _each(evaluated):
        if "dimensions" not in scores:
            rows.append(led(one, evaluated, {"condition": condition} | _of_classes(scores)))
            continue
        for name, own in [*scores["dimensions"].items(), ("mean", scores["mean"])]:
            lead: Row = {"condition": condition, "dimension": name}
            count: Row = {"videos": scores.get("videos"), "frames": scores.get("frames")}
            found: Row = {HEADS[metric]: cell(own, metric) for metric in SERIES_METRICS}
            rows.append(led(one, evaluated, lead | count | found))
    over_time = "dimension" in rows[0]
    return _table(
        evaluated,
        "scores",
        "Scores by condition, with 95 % intervals over speakers",
        rows,
        why_none(evaluated),
        1 + over_time,
    )


def _of_classes(scores: Mapping[str, Any]) -> Row:
    counts: Row = {"clips": scores.get("clips"), "speakers": scores.get("speakers")}
    found: Row = {HEADS[metric]: cell(scores, metric) for metric in CLASS_METRICS}
    return counts | found


def why_none(evaluated: Sequence[Evaluated]) -> str:
    """Why some scores have no interval; empty where all have one."""
    reasons = {x["no_interval"]: None for _, _, x in _each(evaluated) if x.get("no_interval")}
    old = {x.name: None for x, _, own in _each(evaluated) if "uar" in own and _INTERVAL not in own}
    lines = [f"No intervals: {'; '.join(reasons)}."] if reasons else []
    if old:
        lines.append(
            f"{', '.join(old)}: evaluated by an earlier version of affuse, evaluate again for all "
            "intervals."
        )
    return " ".join(lines)


def _by_corpus(evaluated: Sequence[Evaluated]) -> Table | None:
    rows = [
        led(one, evaluated, {"condition": condition, "corpus": corpus} | _of_classes(own))
        for one, condition, scores in _each(evaluated)
        for corpus, own in scores.get("corpora", {}).items()
    ]
    return _table(evaluated, "scores-by-corpus", "Scores by corpus", rows, heads=2)


def _raters(evaluated: Sequence[Evaluated]) -> Table | None:
    rows: list[Row] = []
    for one, condition, scores in _each(evaluated):
        if raters := scores.get("raters"):
            found: Row = {HEADS[metric]: cell(raters, metric) for metric in RATER_METRICS}
            found |= {head: cell(raters, name) for name, head in _CEILINGS.items()}
            rows.append(led(one, evaluated, {"condition": condition} | found))
    note = (
        "KL and JS: divergences from the shares of the raters' votes, nats. Agreement: how often a "
        "rater says what the model says; beside it how often another rater does, and the answer of "
        "most others."
    )
    return _table(evaluated, "raters", "Beside the raters", rows, note)


def _recalls(evaluated: Sequence[Evaluated]) -> Table | None:
    rows = [
        led(
            one,
            evaluated,
            {"condition": condition}
            | {name: _share(own.get("recall")) for name, own in scores["per_class"].items()},
        )
        for one, condition, scores in _each(evaluated)
        if "per_class" in scores
    ]
    return _table(evaluated, "recall", "Recall of each class", rows)


def _classes(evaluated: Sequence[Evaluated]) -> Table | None:
    """Under the first condition of each model alone."""
    rows: list[Row] = []
    for one in evaluated:
        condition, scores = next(iter(one.conditions.items()))
        for name, own in scores.get("per_class", {}).items():
            lead: Row = {"condition": condition, "class": name, "clips": own.get("clips")}
            kinds = {"recall": "recall", "precision": "precision", "f1": "F1"}
            found: Row = {head: cell(own, kind) for kind, head in kinds.items()}
            rows.append(led(one, evaluated, lead | found))
    return _table(
        evaluated, "classes", "Each class, with 95 % intervals over speakers", rows, heads=2
    )


def _share(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _sets(evaluated: Sequence[Evaluated]) -> Table | None:
    rows = [
        led(
            one,
            evaluated,
            {
                "condition": condition,
                "clips": sets["clips"],
                "wanted": ", ".join(f"{x:.2f}" for x in one.metrics.get("coverage", ())),
                "coverage": cell(sets, "coverage"),
                "classes in a set": f"{sets['size']:.2f}",
            },
        )
        for one, condition, scores in _each(evaluated)
        if (sets := scores.get("sets"))
    ]
    note = (
        "A set holds the classes that the calibrated model does not rule out; coverage is how "
        "often the true class is in it."
    )
    return _table(evaluated, "sets", "Conformal sets", rows, note)


def _bands(evaluated: Sequence[Evaluated]) -> Table | None:
    rows = [
        led(
            one,
            evaluated,
            {
                "condition": condition,
                "dimension": name,
                "wanted": ", ".join(f"{x:.2f}" for x in one.metrics.get("coverage", ())),
                "coverage": cell(own, "coverage"),
            },
        )
        for one, condition, scores in _each(evaluated)
        for name, own in scores.get("bands", {}).items()
    ]
    note = "A band is how far the truth is from the value at most; coverage is of known frames."
    return _table(evaluated, "bands", "Conformal bands", rows, note, heads=2)
