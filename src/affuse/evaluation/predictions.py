"""Predictions as they are in a table, our own or anybody's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import AffuseError, BadInput
from affuse.evaluation.prediction_rows import ClassRows, Rows, SeriesRows
from affuse.execution.tables import Sheet, rows_of
from affuse.execution.text import identity
from affuse.features.speakers import AMOUNTS, Amount
from affuse.suggestions import unknown
from affuse.tasks.class_scores import SHARES, ClassTable
from affuse.tasks.dimensional_scores import SeriesTable
from affuse.tasks.judgement import FRAMES, PREDICTIONS_FILE
from affuse.training.run import evaluation_folder, read_run

#: What a condition is called where the table does not say it.
ALL = "all"
_FACTS = ("fold", "condition", "baseline", "corpus", "speaker", "label", "predicted", FRAMES)


@dataclass(frozen=True)
class Predictions:
    """What was predicted under one condition, in the order of the clips' ids.

    Args:
        path: Of the table, or the run that it is of.
        baseline: What was known of the speakers, as results call it.
        clips: N ids; one may be in several folds.
        speakers: (N,) or None where the table does not say them.
        folds: (N,) or None.
        table: What was predicted and what is true.
        facts: What else is known: corpus, protocol.
    """

    path: Path
    baseline: str
    clips: list[str]
    speakers: np.ndarray | None
    folds: np.ndarray | None
    table: ClassTable | SeriesTable
    facts: dict[str, Any]

    @property
    def keys(self) -> list[str]:
        """The clips by names of their own: with the fold where one is in several."""
        if self.folds is None:
            return self.clips
        count = Counter(self.clips)
        pairs = zip(self.clips, self.folds, strict=True)
        return [clip if count[clip] == 1 else f"{clip} (fold {fold})" for clip, fold in pairs]

    @property
    def task(self) -> str:
        """The name of the task that has such tables."""
        if isinstance(self.table, SeriesTable):
            return "valence-arousal"
        return "classification" if self.table.votes is None else "distribution"


def read_predictions(
    path: Path, conditions: Sequence[str] | None = None, baseline: Amount = "none"
) -> dict[str, Predictions]:
    """The predictions of a table, condition by condition.

    Args:
        path: A table, or a run, whose test clips were evaluated.
        conditions: Those that are wanted; all by default.
        baseline: Of a run: which of its evaluations is meant.

    Returns:
        Condition -> its predictions, in the order of the table.

    Raises:
        BadInput: The table cannot be used: the line and the reason are named.
        AffuseError: It lacks a condition.
    """
    facts: dict[str, Any] = {}
    file = path
    if path.is_dir():
        run = read_run(path)
        facts = {name: run[name] for name in ("corpus", "protocol") if name in run}
        file = evaluation_folder(path, baseline=baseline) / PREDICTIONS_FILE
        if not file.is_file():
            more = "" if baseline == "none" else f" --baseline {baseline}"
            raise BadInput(path, f"has no predictions yet; make them: affuse evaluate {path}{more}")
    parts, told = _read(file)
    for name in conditions or ():
        if name not in parts:
            raise unknown(f"condition in {path}", name, parts)
    return {
        name: _ordered(path, rows, told, facts)
        for name, rows in parts.items()
        if conditions is None or name in conditions
    }


def one_condition(
    paths: Sequence[Path], condition: str | None = None
) -> tuple[str, list[Predictions]]:
    """The predictions of several tables under one condition.

    Args:
        paths: Tables or runs.
        condition: Its name; by default the first that all have.

    Raises:
        AffuseError: They have no condition in common.
    """
    tables = [read_predictions(path, condition and [condition]) for path in paths]
    common = [name for name in tables[0] if all(name in table for table in tables)]
    if not common:
        has = "; ".join(f"{p}: {', '.join(t)}" for p, t in zip(paths, tables, strict=True))
        raise AffuseError(f"the tables have no condition in common ({has})")
    return common[0], [table[common[0]] for table in tables]


def _read(path: Path) -> tuple[dict[str, Rows], str]:
    """Rows by condition, and the baseline."""
    if not path.is_file():
        raise BadInput(path, "no such file")
    sheet = Sheet(path, ("clip", *_FACTS))
    rows = rows_of(sheet, iter(sheet), ("clip",), _FACTS)
    first = next(rows, None)
    if first is None:
        raise BadInput(path, "holds no rows")
    columns = list(first[1])
    kind = ClassRows if any(name.startswith(SHARES) for name in columns) else SeriesRows
    parts: dict[str, Rows] = {}
    baselines: dict[str, None] = {}
    for line, row in chain([first], rows):
        # tables of earlier versions do not say it: nothing was known of anybody
        baselines[row.get("baseline", AMOUNTS["none"])] = None
        condition = row.get("condition", ALL)
        if condition not in parts:
            parts[condition] = kind(sheet, columns)
        parts[condition].add(line, row)
    if len(baselines) > 1:
        raise BadInput(path, f"mixes the baselines {' and '.join(baselines)}")
    for name, part in parts.items():
        if not part.clips:
            raise BadInput(path, f"has no annotated frame under {name}")
    return parts, next(iter(baselines))


def _ordered(path: Path, rows: Rows, baseline: str, facts: dict[str, Any]) -> Predictions:
    """The clips of a condition in the order of their ids, whatever that of the rows is."""
    keys = sorted(rows.clips, key=lambda key: (key[1], key[0]))
    corpora = {rows.clips[key].get("corpus", "") for key in keys} - {""}
    return Predictions(
        path,
        baseline,
        [clip for _, clip in keys],
        _cells(rows, keys, "speaker"),
        _cells(rows, keys, "fold"),
        rows.table(keys),
        facts | ({"corpus": " + ".join(sorted(corpora))} if corpora else {}),
    )


def _cells(rows: Rows, keys: Sequence[tuple[str, str]], column: str) -> np.ndarray | None:
    """(N,) of a column; None where there is no such column, or nothing in it."""
    found = [identity(rows.clips[key].get(column, "")) for key in keys]
    if not any(found):
        return None
    if "" in found:
        clip = keys[found.index("")][1]
        raise BadInput(rows.sheet.path, f"clip {clip} has no {column}, others have")
    return np.array(found)
