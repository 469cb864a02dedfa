"""The evaluations of a run that a table needs: of its own test clips, or of another store's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from affuse.corpora.emotions import EMOTIONS
from affuse.corpora.together import same_corpora
from affuse.evaluation.evaluate import evaluate
from affuse.evaluation.predictions import Predictions, read_predictions
from affuse.features.joined import open_stores
from affuse.features.speakers import Amount
from affuse.features.store import Store
from affuse.models.modelfile import read_spec
from affuse.tasks.judgement import PREDICTIONS_FILE
from affuse.training.recipe import Recipe
from affuse.training.run import MODEL_FILE, evaluation_folder


@dataclass(frozen=True)
class Scoring:
    """The evaluation of a run under some conditions.

    Of a store of the corpus that was trained on, the test clips of all folds are scored together.
    Of another corpus, the model of every fold is scored by itself, on all clips of the store whose
    class it knows.

    Args:
        run: Folder of the run.
        recipe: That it is trained by.
        folds: Of the protocol.
        stores: Where the streams are.
        on: Whether they are of other recordings than those of the training.
        baseline: What is known of the speakers of clips.
        conditions: Names.
    """

    run: Path
    recipe: Recipe
    folds: int
    stores: tuple[Path, ...]
    on: bool
    baseline: Amount
    conditions: Sequence[str]

    @property
    def data(self) -> Store:
        """The store."""
        return open_stores_once(self.stores)

    @property
    def elsewhere(self) -> bool:
        """Whether the store is of another corpus."""
        return not same_corpora(self.data.corpus, self.recipe.corpus)

    @property
    def parts(self) -> dict[Path, Path]:
        """The run, or its model files -> where the results lie."""
        place = self.run
        if self.on:  # by what the store holds, wherever it is
            digest = self.data.digest(self.recipe.streams)
            place = self.run / "on" / f"{self.data.corpus}-{digest[:12]}"
        if not self.elsewhere:
            return {self.run: evaluation_folder(place, baseline=self.baseline)}
        return {
            self.run / f"fold{k}" / MODEL_FILE: evaluation_folder(
                place, model=f"fold{k}", baseline=self.baseline
            )
            for k in range(self.folds)
        }

    @property
    def left(self) -> dict[Path, Path]:
        """Those of `parts` that are not scored, or only in part."""
        folds = 1 if self.elsewhere else self.folds
        return {
            subject: out
            for subject, out in self.parts.items()
            if not _holds(out / "metrics.json", folds, self.conditions)
        }

    def make(self, device: str) -> list[str]:
        """Score what is left.

        Args:
            device: Torch device.

        Returns:
            Why scores may be too good, or cannot be compared.

        Raises:
            AffuseError: See `evaluate`.
        """
        warnings = []
        for subject, out in self.left.items():
            labels = None
            if self.elsewhere:
                names = read_spec(subject).outputs
                labels = labels_elsewhere(names, self.data.classes, self.recipe.labels.map)
            result = evaluate(
                subject,
                self.conditions,
                self.stores,
                device,
                labels=labels,
                out=out,
                baseline=self.baseline,
            )
            warnings += result.get("warnings", [])
        return warnings

    def read(self) -> list[dict[str, Predictions]]:
        """The predictions of each part, condition by condition.

        Clips of a store in which nobody is named have no speakers.
        """
        if not self.on:
            tables = [read_predictions(self.run, baseline=self.baseline)]
        else:
            tables = [read_predictions(out / PREDICTIONS_FILE) for out in self.parts.values()]
        if any(clip.speaker for clip in self.data.clips):
            return tables
        return [{n: replace(x, speakers=None) for n, x in table.items()} for table in tables]


def labels_elsewhere(
    outputs: Sequence[str], classes: Sequence[str], own: Mapping[str, str]
) -> dict[str, Any]:
    """The label rule by which a model is scored on another corpus.

    A class of the corpus counts as the output of its name, as `own` says, or as the first output
    that is the same emotion (`affuse.corpora.emotions`).

    Args:
        outputs: Of the model.
        classes: Of the corpus.
        own: Class -> output, as the recipe of the model has it.

    Returns:
        `map` and `classes` of `affuse.corpora.labels.Labels`: those that both have.
    """
    emotions = {name: emotion for emotion, names in EMOTIONS.items() for name in names}
    found = {}
    for name in classes:
        alike = [x for x in outputs if name in emotions and emotions.get(x) == emotions[name]]
        as_output = next((x for x in (name, own.get(name), *alike) if x in outputs), None)
        if as_output is not None:
            found[name] = as_output
    return {
        "map": {name: x for name, x in found.items() if name != x},
        "classes": [x for x in outputs if x in found.values()],
    }


@lru_cache(maxsize=16)
def open_stores_once(stores: tuple[Path, ...]) -> Store:
    """As `open_stores`; a table looks at each of them often."""
    return open_stores(stores)


def _holds(metrics: Path, folds: int, conditions: Sequence[str]) -> bool:
    """Whether an evaluation is there, of all folds and under all conditions."""
    try:
        facts = json.loads(metrics.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return facts["folds"] == folds and {*conditions} <= {*facts["conditions"]}
