"""The figures of a report: training, confidence, speakers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from affuse.errors import BadInput
from affuse.evaluation.report.charts import Chart, Line, round_ticks
from affuse.evaluation.report.evaluated import Evaluated
from affuse.evaluation.report.groups import has_speakers, scores_by
from affuse.evaluation.report.record import fold_folders
from affuse.evaluation.report.tables import HEADS
from affuse.metrics.calibration import calibration
from affuse.metrics.jackknife import Metric
from affuse.metrics.reliability import reliability, selective_risk
from affuse.tasks.class_scores import ClassTable
from affuse.training.run import fold_number

#: Folds beyond which lines are not told apart.
_TOLD_APART = 6
#: Share of the clips from which on the risk is drawn in full; of the first few it is anything.
_SETTLED = 0.1


def training_curves(evaluated: Sequence[Evaluated], metric: str) -> list[Chart]:
    """The loss of every fold over epochs, and what was seen of the development clips."""
    charts = []
    for one in evaluated:
        logs = {} if one.run is None else _logs(one)
        for column, what in (
            ("train/loss", "training loss"),
            ("development/loss", "development loss"),
            (f"development/{metric}", f"development {HEADS[metric]}"),
        ):
            lines = list(_curves(logs, column))
            if lines:
                charts.append(_over_epochs(f"{one.name}: {what}", what, lines))
    return charts


def _logs(one: Evaluated) -> dict[int, pd.DataFrame]:
    """Fold -> its log."""
    assert one.run is not None
    found = {}
    for folder in fold_folders(one.run):
        if (folder / "log.csv").is_file():
            try:
                found[fold_number(folder)] = pd.read_csv(folder / "log.csv")
            except (ValueError, OSError) as error:
                raise BadInput(folder / "log.csv", f"is no log of a training ({error})") from error
    return found


def _curves(logs: dict[int, pd.DataFrame], column: str) -> Iterator[Line]:
    for k, (fold, log) in enumerate(logs.items()):
        if column in log and "epoch" in log:
            values = pd.to_numeric(log[column], errors="coerce").to_numpy(float)
            few = len(logs) <= _TOLD_APART
            label = f"fold {fold}" if few else f"each of {len(logs)} folds"
            epochs = log["epoch"].to_numpy(float)
            yield Line(label, epochs, values, k if few else 0, marked=len(epochs) == 1)


def _over_epochs(title: str, what: str, lines: Sequence[Line]) -> Chart:
    values = np.concatenate([np.asarray(line.y, float) for line in lines])
    values = values[np.isfinite(values)]
    last = max(float(np.max(np.asarray(line.x, float))) for line in lines)
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    at_end = [line.y[-1] for line in lines]
    alt = f"{what} over {last:.0f} epochs; after the last one " + ", ".join(
        f"{value:.3f}" for value in at_end
    )
    ends = (0.0, max(last, 1.0))
    ticks = [(x, f"{x:.0f}") for x, _ in round_ticks(*ends) if x == round(x)]
    return Chart(title, alt, "epoch", what, lines, ends, padded(low, high), ticks)


def padded(low: float, high: float) -> tuple[float, float]:
    """A range with some room at its ends."""
    room = 0.05 * (high - low) or 0.05 * max(abs(high), 1.0)
    return (0.0 if 0 <= low < 2 * room else low - room), high + room


def confidence_charts(evaluated: Sequence[Evaluated]) -> list[Chart]:
    """Accuracy over confidence, and error over the share of clips that are kept, of classes."""
    charts = []
    for one in evaluated:
        tables = {n: p.table for n, p in one.predictions.items() if isinstance(p.table, ClassTable)}
        if tables:
            charts += [_reliability(one.name, tables), _risk(one.name, tables)]
    return charts


def _reliability(name: str, tables: dict[str, ClassTable]) -> Chart:
    lines, errors = [], []
    for k, (condition, table) in enumerate(tables.items()):
        found = reliability(table.probabilities, table.true)
        errors.append(f"{condition} {calibration(table.probabilities, table.true).ece:.3f}")
        there = found.clips > 0
        label = f"{condition}: ECE {errors[-1].split()[-1]}"
        lines.append(Line(label, found.confidence[there], found.accuracy[there], k, marked=True))
    alt = f"Accuracy over confidence in 15 bins; calibration error: {', '.join(errors)}"
    title = f"{name}: reliability"
    return Chart(title, alt, "confidence", "accuracy", lines, diagonal=True)


def _risk(name: str, tables: dict[str, ClassTable]) -> Chart:
    lines, areas, highest = [], [], 0.01
    for k, (condition, table) in enumerate(tables.items()):
        kept, risk = selective_risk(table.probabilities, table.true)
        areas.append(f"{condition} {risk.mean():.3f}")
        lines.append(Line(f"{condition}: area {risk.mean():.3f}", 100 * kept, 100 * risk, k))
        highest = max(highest, float(risk[kept >= _SETTLED].max()))
    alt = f"Error over the share of clips that are kept; area: {', '.join(areas)}"
    across, up = "clips that are kept, most certain first, %", "error, %"
    title = f"{name}: selective risk"
    return Chart(title, alt, across, up, lines, (0, 100), (0, 105 * highest))


def speaker_charts(evaluated: Sequence[Evaluated], metric: str, kind: Metric) -> list[Chart]:
    """A dot for every speaker, a row for every condition."""
    charts = []
    for one in evaluated:
        rows = {
            condition: [*scores_by(part, part.speakers, metric).values()]
            for condition, part in one.predictions.items()
            if part.speakers is not None and has_speakers(part)
        }
        if rows:
            charts.append(_dots(one.name, rows, HEADS[metric], kind))
    return charts


def _dots(name: str, rows: dict[str, list[float]], head: str, kind: Metric) -> Chart:
    lines, told = [], []
    for k, (condition, scores) in enumerate(rows.items()):
        values = np.array(scores)
        values = values[np.isfinite(values)]
        lines.append(
            Line("", values, np.full(len(values), len(rows) - k), k, joined=False, marked=True)
        )
        if len(values):
            told.append(f"{condition}: {values.min():.2f} to {values.max():.2f}")
    every = np.concatenate([np.asarray(line.x, float) for line in lines])
    low, high = (float(every.min()), float(every.max())) if len(every) else (0.0, 1.0)
    ends = (0.0, 1.0) if kind.scale == "share" else padded(low, high)
    return Chart(
        f"{name}: {head} of each speaker",
        f"{head} of each speaker; {', '.join(told)}",
        head,
        "",
        lines,
        ends,
        (0.4, len(rows) + 0.6),
        y_ticks=[(len(rows) - k, condition) for k, condition in enumerate(rows)],
    )
