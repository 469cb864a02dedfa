"""The contract of a task: what is asked of it from the labels of clips to the files of results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from affuse.corpora.labels import Labels
from affuse.errors import BadInput
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec
from affuse.media.probe import MediaInfo
from affuse.metrics.running import RunningAgreement
from affuse.models.applied import Applied, WindowOutput
from affuse.models.options import Head
from affuse.models.spec import ModelSpec
from affuse.tasks.moments import Moments
from affuse.tasks.options import OverTime
from affuse.tasks.prediction import Prediction, Recording
from affuse.tasks.registry import TASKS, TaskEntry
from affuse.tasks.targets import TrainingTargets
from affuse.tasks.windows import Answers, Sample, WindowAnswer, WindowPlan

if TYPE_CHECKING:
    from torch import Tensor

    from affuse.models.base import Model
    from affuse.tasks.judgement import Judgement

Mode = Literal["max", "min"]


class Task(ABC):
    """What a model learns and predicts.

    Args:
        outputs: Names of the classes or dimensions, in the order of a model's outputs.

    Attributes:
        name: In `TASKS`.
        head: What a model of it ends in.
        written: What evaluation writes, in a few words.
        batch: Windows of a recording that pass a model together.
        known: The development scores, and whether their highest or lowest is best; the first is
            the usual one to select an epoch by.
    """

    name: ClassVar[str]
    head: ClassVar[Head]
    written: ClassVar[str]
    batch: ClassVar[int]
    known: Mapping[str, Mode]

    def __init__(self, outputs: Sequence[str]) -> None:
        self.outputs = list(outputs)

    @property
    def entry(self) -> TaskEntry:
        """What recipes and commands ask about it."""
        return TASKS[self.name]

    @property
    def over_time(self) -> bool:
        """Whether it has outputs for every frame, or one answer per window."""
        return self.entry.over_time

    # What is learned.

    @classmethod
    @abstractmethod
    def targets(
        cls, data: Store, streams: Sequence[str], labels: Labels, outputs: Sequence[str] = ()
    ) -> TrainingTargets:
        """What the clips of a store are to be learned as, or judged by.

        Args:
            data: The store.
            streams: That clips need.
            labels: How clips get their classes.
            outputs: Names of the classes of a model or of the dimensions that are wanted; by
                default those that the label rule keeps, or that the corpus has.

        Raises:
            BadInput: The store lacks a stream, no clip has a label, or some have another class.
            AffuseError: The label rule does not fit the corpus or the task.
        """

    @abstractmethod
    def learned_by(self, model: Model, over_time: OverTime) -> Self:
        """The task with the loss of a recipe.

        Args:
            model: What is trained.
            over_time: What the recipe says about continuous valence and arousal.

        Raises:
            AffuseError: The model ends in something else than the task needs.
        """

    @abstractmethod
    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """The loss () of one head.

        Args:
            scores: As the model gives them, (B, C) or (B, L, D).
            targets: Of the batch.
            label_smoothing: Share of the target that is spread over all classes.
        """

    @abstractmethod
    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """What `scores` needs of one batch: two arrays that can be joined along the first axis."""

    @abstractmethod
    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Scores by name over all development clips."""

    def running(self) -> RunningAgreement | None:
        """Scores of what is learned, from what `seen` gives of every batch of an epoch."""
        return None

    # What is predicted.

    def check_model(self, model: Applied | Model, file: Path) -> None:
        """Refuse a model file whose model ends in something else.

        Raises:
            BadInput: It does.
        """
        if model.head != self.head:
            raise BadInput(file, f"gives no {self.entry.predicts}")

    @abstractmethod
    def plan(
        self, spec: ModelSpec, leader: StreamSpec, duration: float, hop: float | None = None
    ) -> WindowPlan:
        """The windows of a recording, as those of training clips were cut.

        Args:
            spec: Of the model.
            leader: The stream whose frames its values follow.
            duration: Of the recording in seconds.
            hop: Seconds from window to window; by default the task's own.
        """

    @abstractmethod
    def answers(self, output: WindowOutput, samples: Sequence[Sample]) -> list[WindowAnswer]:
        """What a model says about windows, one by one.

        Args:
            output: Of a batch of them.
            samples: Their streams.

        Raises:
            NotFinite: What it says about a window is not finite.
        """

    def weighed(
        self,
        answers: Answers,
        samples: list[Sample],
        specs: Mapping[str, StreamSpec],
        shares: Sequence[Mapping[str, float]],
    ) -> list[WindowAnswer]:
        """What a model says about windows, as sure of it as what they show allows.

        Args:
            answers: What the model says.
            samples: W windows.
            specs: Of their streams.
            shares: Of each window: modality -> share of it in which it is present, as `answers`
                leaves them: a condition can lower them.
        """
        return answers(samples)

    @abstractmethod
    def joined(self, plan: WindowPlan, answers: Sequence[WindowAnswer], spec: ModelSpec) -> Any:
        """What was said about the windows of a recording, back in its time.

        Args:
            plan: Its windows.
            answers: Of each of them.
            spec: Of the model.
        """

    @abstractmethod
    def latest(
        self, said: Any, spec: ModelSpec, times: np.ndarray, leader: tuple[StreamSpec, Stream]
    ) -> np.ndarray:
        """(C,) or (D,) outputs at a moment of the last window; NaN where nothing is known.

        Args:
            said: What `joined` gave.
            spec: Of the model.
            times: (2,) seconds: the moment, and up to when the source has been read.
            leader: The stream whose frames values follow, and when it is there.
        """

    @abstractmethod
    def moments(self, info: MediaInfo) -> Moments:
        """How long a recording is for this task, and when something is said about it."""

    @abstractmethod
    def prediction(
        self,
        recording: Recording,
        said: Any,
        plan: WindowPlan,
        moments: Moments,
        spec: ModelSpec,
        shares: Sequence[Mapping[str, float]],
        leader: tuple[StreamSpec, Stream],
    ) -> Prediction:
        """What is said about a recording.

        Args:
            recording: What every prediction tells.
            said: What `joined` gave.
            plan: The windows.
            moments: See `moments`.
            spec: Of the model.
            shares: Of each window: modality -> share of it in which it is present.
            leader: The stream whose frames values follow, and when it is there.
        """

    # What is judged.

    @abstractmethod
    def judgement(
        self,
        data: Store,
        streams: Sequence[str],
        labels: Labels,
        truth: Path | None,
        conditions: Sequence[str],
    ) -> Judgement:
        """A place for predictions of clips, to be scored and written.

        Args:
            data: Where the labels are.
            streams: That clips need.
            labels: How clips get their classes.
            truth: Folder with continuous valence and arousal, used instead of the annotation.
            conditions: Names.
        """

    @classmethod
    @abstractmethod
    def summary(cls, result: Mapping[str, Any]) -> list[str | list[dict[str, object]]]:
        """Scores as lines and tables (rows with the same keys) for a terminal.

        Args:
            result: As `metrics.json` holds it.
        """
