"""Predicted classes beside the labels of clips: tables, scores and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.clip import Clip
from affuse.execution.files import atomic_path, write_csv, write_json
from affuse.metrics.calibration import calibration
from affuse.metrics.classification import accuracy_interval, classification_scores
from affuse.metrics.raters import rater_scores
from affuse.models.spec import ModelSpec
from affuse.tasks.classification import ClassWindows
from affuse.tasks.judgement import PREDICTIONS_FILE, Judgement, number
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
            }
        )

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
    classes = targets.names
    index = {name: k for k, name in enumerate(classes)}
    true = table["label"].map(index).to_numpy()
    predicted = table["predicted"].map(index).to_numpy()
    scores = classification_scores(true, predicted, len(classes))
    low, high = accuracy_interval(true == predicted, table["speaker"].to_numpy())
    probabilities = table[[f"p_{name}" for name in classes]].to_numpy(float)
    right = table["label"] == table["predicted"]
    return {
        "clips": len(table),
        "speakers": int(table["speaker"].nunique()),
        "accuracy": scores.accuracy,
        "accuracy_interval_95": [number(low), number(high)],
        "uar": scores.uar,
        "macro_f1": scores.macro_f1,
        **asdict(calibration(probabilities, true)),
        "accuracy_per_fold": {
            str(k): float(v) for k, v in right.groupby(table["fold"]).mean().items()
        },
        "per_class": {
            name: {
                "recall": number(scores.recall[k]),
                "precision": number(scores.precision[k]),
                "f1": number(scores.f1[k]),
                "clips": int(scores.confusion[k].sum()),
            }
            for name, k in index.items()
        },
        "classes": classes,
        "confusion": scores.confusion.tolist(),
        **({"raters": _beside_raters(table, targets)} if targets.votes else {}),
    }


def _beside_raters(table: pd.DataFrame, targets: TrainingTargets) -> dict[str, Any]:
    """The predicted distributions beside those of the people who rated the clips."""
    predicted = table[[f"p_{name}" for name in targets.names]].to_numpy(float)
    votes = np.stack([targets.votes[clip] for clip in table["clip"]])
    scores = {name: number(x) for name, x in asdict(rater_scores(predicted, votes)).items()}
    clear = table[table["clip"].isin(targets.majority)]
    right = (clear["label"] == clear["predicted"]).to_numpy()
    interval = accuracy_interval(right, clear["speaker"].to_numpy())
    return {
        **scores,
        "majority_clips": len(clear),
        "majority_accuracy": number(right.mean()) if len(clear) else None,
        "majority_interval_95": [number(x) for x in interval],
    }


def _cell(value: object) -> object:
    return f"{value:.6f}" if isinstance(value, float | np.floating) else value
