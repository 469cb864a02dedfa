"""Predicted classes beside the labels of clips: tables, scores and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.clip import Clip
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.metrics.classification import accuracy_interval
from affuse.models.spec import ModelSpec
from affuse.tasks.class_scores import VOTES, ClassTable, class_scores
from affuse.tasks.classification import ClassWindows
from affuse.tasks.confidence_plots import write_confidence_plots
from affuse.tasks.judgement import PREDICTIONS_FILE, Judgement, Scored, number
from affuse.tasks.plots import confusion_png
from affuse.tasks.targets import TrainingTargets
from affuse.tasks.uncertainty import BETWEEN, classes_left
from affuse.tasks.windows import NotFinite

#: The column of the classes that a calibrated model does not rule out.
SETS = "not_ruled_out"
_LEAD = ["fold", "condition", "baseline", "corpus", "clip", "speaker", "label", "predicted", SETS]


class ClassJudgement(Judgement):
    """Probabilities of classes of clips with labels.

    A clip has the mean over its windows in which something is present, and the mean of several
    models; of one calibrated model also the classes that it does not rule out. Of a clip that has
    nothing, what the models say about nothing counts.

    Args:
        targets: The labels, in the order of the models' classes.
        conditions: Names.
    """

    known = "with a label"

    def __init__(self, targets: TrainingTargets, conditions: Sequence[str]) -> None:
        self.targets, self.conditions = targets, list(conditions)
        self.clips = targets.clips
        self._rows: list[dict[str, Any]] = []

    def add(
        self,
        condition: str,
        fold: int,
        clip: Clip,
        said: Sequence[ClassWindows],
        members: Sequence[ModelSpec],
    ) -> None:
        """See `Judgement.add`; the classes of a model may have another order."""
        names = self.targets.names
        own = []
        for windows, spec in zip(said, members, strict=True):
            scores = windows.answer
            if not np.isfinite(scores).all():
                raise NotFinite(of=clip.id)
            own.append(scores[[spec.outputs.index(name) for name in names]])
        scores = np.mean(own, 0)
        left = None
        if len(members) == 1:
            left = classes_left(members[0].calibration, names, scores, said[0].modalities)
        self._rows.append(
            {
                "fold": fold,
                "condition": condition,
                "baseline": self.baseline,
                **({"corpus": clip.corpus} if clip.corpus else {}),
                "clip": clip.id,
                "speaker": clip.speaker or clip.id,
                "label": self.targets.class_of(clip.id),
                "predicted": names[int(scores.argmax())],
                **({} if left is None else {SETS: BETWEEN.join(left)}),
                **{f"p_{name}": x for name, x in zip(names, scores, strict=True)},
                **self._votes(clip.id),
            }
        )

    def _votes(self, clip: str) -> dict[str, float]:
        """The votes of raters by column, where labels come from votes."""
        votes = self.targets.votes.get(clip, ())
        return {f"{VOTES}{name}": x for name, x in zip(self.targets.names, votes, strict=False)}

    @property
    def table(self) -> pd.DataFrame:
        """A row per clip and condition, in the order of conditions, folds and clips."""
        table = pd.DataFrame(self._rows)
        table["order"] = table["condition"].map(self.conditions.index)
        if SETS in table:
            table[SETS] = table[SETS].fillna("")
        table = table.sort_values(["order", "fold", "clip"], kind="stable").drop(columns="order")
        lead = [name for name in _LEAD if name in table]
        return table[[*lead, *(name for name in table if name not in lead)]]

    def scored(self, condition: str) -> Scored:
        """See `Judgement.scored`."""
        table = self.table
        part = table[table["condition"] == condition]
        return Scored(part["clip"].tolist(), _class_table(part, self.targets))

    def result(
        self, labels: Mapping[str, Any] | None, members: Mapping[str, ModelSpec]
    ) -> dict[str, Any]:
        """See `Judgement.result`."""
        rule = {} if labels is None else {"labels": dict(labels), "unused": self.targets.unused}
        wanted = {x.calibration.coverage for x in members.values() if x.calibration is not None}
        return {
            **rule,
            **({"coverage": sorted(wanted)} if wanted else {}),
            "conditions": {
                str(name): _scores(part, self.targets) | _sets(part) | self._by_corpus(part)
                for name, part in self.table.groupby("condition", sort=False)
            },
        }

    def _by_corpus(self, table: pd.DataFrame) -> dict[str, Any]:
        """The scores of each corpus, where there are several."""
        if "corpus" not in table:
            return {}
        parts = table.groupby("corpus")
        return {"corpora": {str(name): _scores(part, self.targets) for name, part in parts}}

    def write(self, out: Path, result: Mapping[str, Any]) -> None:
        """`predictions.csv`, `metrics.json`."""
        table = self.table
        rows = ([_cell(x) for x in row] for row in table.itertuples(index=False, name=None))
        write_csv(out / PREDICTIONS_FILE, [str(name) for name in table], rows)
        write_json(out / "metrics.json", result)

    def draw(self, out: Path, result: Mapping[str, Any], title: str) -> None:
        """A confusion matrix per condition, and how far probabilities can be trusted."""
        for old in out.glob("confusion-*.png"):
            old.unlink()
        for name, scores in result["conditions"].items():
            above = f"{title}, {name}: {scores['accuracy']:.1%}"
            picture = confusion_png(np.array(scores["confusion"]), self.targets.names, above)
            with atomic_path(out / f"confusion-{name}.png") as path:
                path.write_bytes(picture)
        parts = self.table.groupby("condition", sort=False)
        tables = {str(name): _class_table(part, self.targets) for name, part in parts}
        write_confidence_plots(out, tables, title)


def _sets(table: pd.DataFrame) -> dict[str, Any]:
    """How often the true class is among those that are not ruled out, and how many these are."""
    if SETS not in table or not (told := table[table[SETS] != ""]).size:
        return {}
    left = [str(cell).split(BETWEEN) for cell in told[SETS]]
    held = np.array([label in names for label, names in zip(told["label"], left, strict=True)])
    bounds = accuracy_interval(held, told["speaker"].to_numpy())
    return {
        "sets": {
            "clips": len(told),
            "coverage": float(held.mean()),
            "coverage_interval_95": [number(x) for x in bounds],
            "size": float(np.mean([len(names) for names in left])),
        }
    }


def _scores(table: pd.DataFrame, targets: TrainingTargets) -> dict[str, Any]:
    majority = table["clip"].isin(targets.majority).to_numpy()
    return class_scores(
        _class_table(table, targets),
        table["speaker"].to_numpy(),
        table["fold"].to_numpy(),
        majority if targets.votes else None,
    )


def _class_table(table: pd.DataFrame, targets: TrainingTargets) -> ClassTable:
    classes = pd.Index(targets.names)
    return ClassTable(
        list(targets.names),
        classes.get_indexer(pd.Index(table["label"])),
        classes.get_indexer(pd.Index(table["predicted"])),
        table[[f"p_{name}" for name in classes]].to_numpy(float),
        np.stack([targets.votes[clip] for clip in table["clip"]]) if targets.votes else None,
    )


def _cell(value: object) -> object:
    return f"{value:.6f}" if isinstance(value, float | np.floating) else value
