"""Predicted classes beside the labels of clips: tables, scores and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.clip import Clip
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.models.spec import ModelSpec
from affuse.tasks.class_scores import VOTES, ClassTable, class_scores
from affuse.tasks.classification import ClassWindows
from affuse.tasks.judgement import PREDICTIONS_FILE, Judgement
from affuse.tasks.plots import confusion_png
from affuse.tasks.targets import TrainingTargets
from affuse.tasks.windows import NotFinite

_LEAD = ["fold", "condition", "baseline", "corpus", "clip", "speaker", "label", "predicted"]


class ClassJudgement(Judgement):
    """Probabilities of classes of clips with labels.

    A clip has the mean over its windows in which something is present, and the mean of several
    models. Of a clip that has nothing, what the models say about nothing counts.

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
            scores = windows.overall if not np.isnan(windows.overall).any() else windows.anyway
            if not np.isfinite(scores).all():
                raise NotFinite(of=clip.id)
            own.append(scores[[spec.outputs.index(name) for name in names]])
        scores = np.mean(own, 0)
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
        table = table.sort_values(["order", "fold", "clip"], kind="stable").drop(columns="order")
        lead = [name for name in _LEAD if name in table]
        return table[[*lead, *(name for name in table if name not in lead)]]

    def result(
        self, labels: Mapping[str, Any] | None, members: Mapping[str, ModelSpec]
    ) -> dict[str, Any]:
        """See `Judgement.result`."""
        rule = {} if labels is None else {"labels": dict(labels), "unused": self.targets.unused}
        return {
            **rule,
            "conditions": {
                str(name): _scores(part, self.targets) | self._by_corpus(part)
                for name, part in self.table.groupby("condition", sort=False)
            },
        }

    def _by_corpus(self, table: pd.DataFrame) -> dict[str, Any]:
        """The scores of each corpus, where there are several."""
        if "corpus" not in table:
            return {}
        parts = table.groupby("corpus")
        return {"corpora": {str(name): _scores(part, self.targets) for name, part in parts}}

    def write(self, out: Path, result: Mapping[str, Any], title: str) -> None:
        """`predictions.csv`, `metrics.json`, and a confusion matrix per condition."""
        table = self.table
        rows = ([_cell(x) for x in row] for row in table.itertuples(index=False, name=None))
        write_csv(out / PREDICTIONS_FILE, [str(name) for name in table], rows)
        write_json(out / "metrics.json", result)
        for old in out.glob("confusion-*.png"):
            old.unlink()
        for name, scores in result["conditions"].items():
            above = f"{title}, {name}: {scores['accuracy']:.1%}"
            picture = confusion_png(np.array(scores["confusion"]), self.targets.names, above)
            with atomic_path(out / f"confusion-{name}.png") as path:
                path.write_bytes(picture)


def _scores(table: pd.DataFrame, targets: TrainingTargets) -> dict[str, Any]:
    classes = pd.Index(targets.names)
    majority = table["clip"].isin(targets.majority).to_numpy()
    return class_scores(
        ClassTable(
            list(targets.names),
            classes.get_indexer(pd.Index(table["label"])),
            classes.get_indexer(pd.Index(table["predicted"])),
            table[[f"p_{name}" for name in classes]].to_numpy(float),
            np.stack([targets.votes[clip] for clip in table["clip"]]) if targets.votes else None,
        ),
        table["speaker"].to_numpy(),
        table["fold"].to_numpy(),
        majority if targets.votes else None,
    )


def _cell(value: object) -> object:
    return f"{value:.6f}" if isinstance(value, float | np.floating) else value
