"""Predictions of clips beside what is true of them, scored and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.corpora.clip import Clip
from affuse.features.speakers import AMOUNTS
from affuse.models.spec import ModelSpec

if TYPE_CHECKING:
    from affuse.tasks.class_scores import ClassTable
    from affuse.tasks.dimensional_scores import SeriesTable

#: The predictions in the folder of an evaluation.
PREDICTIONS_FILE = "predictions.csv"
#: Its column with the file of the values of each frame of a clip.
FRAMES = "frames"
#: How the columns of annotated values begin.
ANNOTATED = "annotated_"


@dataclass(frozen=True)
class Scored:
    """Predictions of N clips beside what is true of them.

    Args:
        clips: N ids.
        table: In their order.
    """

    clips: list[str]
    table: ClassTable | SeriesTable


class Judgement(ABC):
    """What models say about clips under conditions.

    Attributes:
        clips: Those that can be judged, in the order of the store.
        known: What these have, for messages: `with a label`.
        baseline: What is known of their speakers, as results call it.
    """

    clips: list[Clip]
    known: str
    baseline: str = AMOUNTS["none"]

    @abstractmethod
    def add(
        self,
        condition: str,
        fold: int,
        clip: Clip,
        said: Sequence[Any],
        members: Sequence[ModelSpec],
    ) -> None:
        """Add what the models of an ensemble, or one model, say about a clip.

        Args:
            condition: Its name.
            fold: Number.
            clip: The clip.
            said: What `Task.joined` gave for each model.
            members: Their specs.

        Raises:
            NotFinite: What a model says is not finite.
        """

    @abstractmethod
    def scored(self, condition: str) -> Scored:
        """What was added under a condition, as numbers.

        Args:
            condition: Its name.
        """

    @abstractmethod
    def result(
        self, labels: Mapping[str, Any] | None, members: Mapping[str, ModelSpec]
    ) -> dict[str, Any]:
        """The scores, as `metrics.json` holds them.

        Args:
            labels: The label rule of model files; None for a run, whose recipe tells it.
            members: What models are called -> their specs.
        """

    @abstractmethod
    def write(self, out: Path, result: Mapping[str, Any]) -> None:
        """Write predictions, then scores: `metrics.json` last.

        Args:
            out: Folder.
            result: Everything for `metrics.json`.
        """

    @abstractmethod
    def draw(self, out: Path, result: Mapping[str, Any], title: str) -> None:
        """Write figures.

        Args:
            out: Folder.
            result: As of `write`.
            title: Of the figures.
        """


def number(value: float) -> float | None:
    """A score as a JSON value: JSON has no NaN, an undefined score is null."""
    return None if value != value else float(value)


def headline(result: Mapping[str, Any]) -> str:
    """What was scored, in a line.

    Args:
        result: As `metrics.json` holds it.
    """
    told = [f"baseline {result.get('baseline', AMOUNTS['none'])}", *result.get("changes", [])]
    more = "".join(f", {one}" for one in told)
    if "run" in result:
        return f"{result['run']}: {result['role']} clips of {result['folds']} fold(s){more}"
    models = result["models"]
    who = models[0] if len(models) == 1 else f"ensemble of {len(models)} models"
    protocol = result["protocol"]
    if protocol is None:
        return f"{who}: all clips of the {result['corpus']} store (no --protocol){more}"
    number = f"fold {result['fold']} of {protocol['folds']}"
    return f"{who}: {result['role']} clips of {protocol['name']}, {number}{more}"
