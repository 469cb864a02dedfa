"""One class of each clip, and probabilities of classes over the windows of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from affuse.corpora.labels import Labels
from affuse.errors import AffuseError
from affuse.features.store import Store
from affuse.features.stream import Stream, StreamSpec, window_starts
from affuse.features.windows import grid_starts
from affuse.media.probe import MediaInfo
from affuse.models.applied import WindowOutput
from affuse.models.spec import ModelSpec
from affuse.tasks.class_targets import labelled
from affuse.tasks.moments import Moments, window_moments
from affuse.tasks.options import OverTime
from affuse.tasks.prediction import Recording
from affuse.tasks.targets import TrainingTargets
from affuse.tasks.task import Mode, Task
from affuse.tasks.timeline import Timeline
from affuse.tasks.weighing import counting, weighed
from affuse.tasks.windows import Answers, NotFinite, Sample, WindowAnswer, WindowPlan, is_empty

if TYPE_CHECKING:
    from torch import Tensor

    from affuse.models.base import Model
    from affuse.tasks.class_judgement import ClassJudgement


@dataclass(frozen=True)
class ClassWindows:
    """What a model says about the windows of a recording.

    Args:
        probabilities: (W, C) float32; NaN where nothing was present.
        anyway: (C,) mean of what the model says whatever is present.
        ratings: Name -> (W,) values that the model reads beside the classes.
        voice: (W,) share of the sound of each window in which somebody is heard; NaN where there is
            none or the model does not tell.
        modalities: Those that count in any window.
    """

    probabilities: np.ndarray
    anyway: np.ndarray
    ratings: dict[str, np.ndarray]
    voice: np.ndarray
    modalities: frozenset[str] = frozenset()

    @property
    def overall(self) -> np.ndarray:
        """(C,) mean over the windows in which something was present; NaN if there is none."""
        known = self.probabilities[~np.isnan(self.probabilities).any(1)]
        if not len(known):
            return np.full(self.probabilities.shape[1], np.nan, np.float32)
        return np.asarray(known.mean(0))

    @property
    def answer(self) -> np.ndarray:
        """(C,) `overall`, or `anyway` where nothing was present."""
        overall = self.overall
        return self.anyway if np.isnan(overall).any() else overall


class Classification(Task):
    """Cross-entropy with one class per clip; the best epoch has the highest accuracy.

    Args:
        outputs: Names of the classes.
    """

    name = "classification"
    head = "classes"
    written = "predictions, scores and confusion matrices"
    batch = 16
    known: Mapping[str, Mode] = {"accuracy": "max", "uar": "max", "loss": "min"}

    def __init__(self, outputs: Sequence[str] = ()) -> None:
        super().__init__(outputs)

    @classmethod
    def targets(
        cls, data: Store, streams: Sequence[str], labels: Labels, outputs: Sequence[str] = ()
    ) -> TrainingTargets:
        """See `Task.targets`."""
        clips = data.usable(streams)
        return labelled(clips, data, labels, outputs, cls(outputs).entry.votes).checked(data)

    def learned_by(self, model: Model, over_time: OverTime) -> Self:
        """See `Task.learned_by`."""
        if model.head != self.head:
            raise AffuseError(f"task={self.name} needs class scores: set model.head=classes")
        return self

    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Targets (B,) int64, or (B, C) where clips were mixed; see `Task.loss`."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(scores.float(), targets, label_smoothing=label_smoothing)

    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Targets and logits as they are."""
        return targets.cpu().numpy(), scores.float().cpu().numpy()

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """Accuracy, unweighted recall and loss."""
        import torch
        from torch.nn.functional import cross_entropy

        from affuse.metrics.classification import classification_scores

        found = classification_scores(targets, predicted.argmax(1), predicted.shape[1])
        loss = cross_entropy(torch.from_numpy(predicted), torch.from_numpy(targets))
        return {"accuracy": found.accuracy, "uar": found.uar, "loss": float(loss)}

    def plan(
        self, spec: ModelSpec, leader: StreamSpec, duration: float, hop: float | None = None
    ) -> WindowPlan:
        """Windows spread evenly, or on the grid of a hop; see `Task.plan`."""
        if hop is None:
            starts = window_starts(duration, spec.seconds, spec.hop)
        else:
            starts = grid_starts(duration, spec.seconds, hop)
        return WindowPlan(starts, spec.seconds)

    def answers(self, output: WindowOutput, samples: Sequence[Sample]) -> list[WindowAnswer]:
        """Probabilities of classes; see `Task.answers`."""
        rows = output.probabilities
        voices = [np.nan] * len(rows) if output.voice is None else output.voice.tolist()
        found = []
        for k, (row, sample) in enumerate(zip(rows, samples, strict=True)):
            empty = is_empty(sample)
            if not empty and not np.isfinite(row).all():
                raise NotFinite(k)
            own = {name: float(x[k]) for name, x in output.ratings.items()}
            said = np.full_like(row, np.nan) if empty else row
            found.append(WindowAnswer(said, None, own, row, voices[k]))
        return found

    def weighed(
        self,
        answers: Answers,
        samples: list[Sample],
        specs: Mapping[str, StreamSpec],
        shares: Sequence[Mapping[str, float]],
    ) -> list[WindowAnswer]:
        """Mixed with what is said without the modalities that are hardly there; see `weighed`."""
        first = answers(samples)
        names = {name: np.array([share[name] for share in shares]) for name in shares[0]}

        def scores(some: list[Sample]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
            said = first if some is samples else answers(some)
            return np.stack([answer.values for answer in said]), {}

        rows, _ = weighed(scores, samples, specs, names)
        return [
            replace(x, values=row, modalities=counting(share))
            for row, x, share in zip(rows, first, shares, strict=True)
        ]

    def joined(
        self, plan: WindowPlan, answers: Sequence[WindowAnswer], spec: ModelSpec
    ) -> ClassWindows:
        """One row per window; see `Task.joined`."""
        names = answers[0].ratings
        return ClassWindows(
            np.stack([answer.values for answer in answers]),
            np.stack([x.anyway for x in answers if x.anyway is not None]).mean(0),
            {n: np.array([x.ratings[n] for x in answers], np.float32) for n in names},
            np.array([x.voice for x in answers], np.float32),
            frozenset().union(*(x.modalities for x in answers)),
        )

    def latest(
        self,
        said: ClassWindows,
        spec: ModelSpec,
        times: np.ndarray,
        leader: tuple[StreamSpec, Stream],
    ) -> np.ndarray:
        """Those of the window; see `Task.latest`."""
        return np.asarray(said.probabilities[-1])

    def moments(self, info: MediaInfo) -> Moments:
        """The windows alone; see `Task.moments`."""
        return window_moments(info)

    def prediction(
        self,
        recording: Recording,
        said: ClassWindows,
        plan: WindowPlan,
        moments: Moments,
        spec: ModelSpec,
        shares: Sequence[Mapping[str, float]],
        leader: tuple[StreamSpec, Stream],
    ) -> Timeline:
        """See `Task.prediction`."""
        return Timeline(
            **vars(recording),
            duration=moments.duration,
            model={"name": spec.model, "window": plan.seconds, **spec.training},
            classes=self.outputs,
            starts=np.maximum(plan.starts, 0),
            ends=np.minimum(plan.starts + plan.seconds, moments.duration),
            probabilities=said.probabilities,
            ratings=said.ratings,
            voice=said.voice,
            window_presence={n: np.array([share[n] for share in shares]) for n in shares[0]},
            calibration=spec.calibration,
        )

    def judgement(
        self,
        data: Store,
        streams: Sequence[str],
        labels: Labels,
        truth: Path | None,
        conditions: Sequence[str],
    ) -> ClassJudgement:
        """See `Task.judgement`."""
        from affuse.tasks.class_judgement import ClassJudgement

        targets = self.targets(data, streams, labels, self.outputs)
        return ClassJudgement(targets, conditions)

    @classmethod
    def summary(cls, result: Mapping[str, Any]) -> list[str | list[dict[str, object]]]:
        """See `Task.summary`."""
        from affuse.tasks.class_summary import class_lines

        return list(class_lines(result))
