"""Continuous valence and arousal: values for every frame of a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from affuse.corpora.labels import Labels
from affuse.errors import AffuseError
from affuse.features.store import Store
from affuse.features.stream import TARGET_RATE, Stream, StreamSpec
from affuse.features.windows import frame_windows, overlap_mean, tiles
from affuse.media.probe import MediaInfo
from affuse.metrics.concordance import ccc, pearson, rmse
from affuse.metrics.running import RunningAgreement, named_scores
from affuse.models.applied import WindowOutput
from affuse.models.spec import ModelSpec
from affuse.suggestions import hint
from affuse.tasks.annotated_targets import annotated
from affuse.tasks.moments import Moments, frame_moments
from affuse.tasks.options import OverTime
from affuse.tasks.prediction import Recording
from affuse.tasks.series import Series
from affuse.tasks.targets import TrainingTargets
from affuse.tasks.task import Mode, Task
from affuse.tasks.values import ValuesTimeline, unseen
from affuse.tasks.windows import NotFinite, Sample, WindowAnswer, WindowPlan

if TYPE_CHECKING:
    from torch import Tensor

    from affuse.models.base import Model
    from affuse.tasks.dimensional_judgement import DimensionalJudgement


class Dimensional(Task):
    """1 - CCC of each dimension over the annotated frames; the best epoch has the highest CCC.

    Args:
        outputs: Names of the dimensions.
        rate: Frames per second in Hz of the model that learns it.
        over_time: Its loss.

    Raises:
        AffuseError: A weight is of no dimension.
    """

    name = "valence-arousal"
    head = "frames"
    written = "predictions, scores and curves"
    batch = 4

    def __init__(
        self, outputs: Sequence[str], rate: float = TARGET_RATE, over_time: OverTime | None = None
    ) -> None:
        super().__init__(outputs)
        chosen = over_time or OverTime()
        self._step, self._variant = TARGET_RATE / rate, chosen.loss
        if wrong := [name for name in chosen.weights if name not in self.outputs]:
            raise AffuseError(
                f"over_time.weights: {wrong[0]!r} is not learned; {hint(wrong[0], self.outputs)}"
            )
        self._weights = [chosen.weights.get(name, 1.0) for name in self.outputs]
        modes: dict[str, Mode] = {"ccc": "max", "pcc": "max", "rmse": "min"}
        each = {f"{metric}_{name}": mode for metric, mode in modes.items() for name in outputs}
        self.known: Mapping[str, Mode] = modes | each

    @classmethod
    def targets(
        cls, data: Store, streams: Sequence[str], labels: Labels, outputs: Sequence[str] = ()
    ) -> TrainingTargets:
        """See `Task.targets`."""
        return annotated(data.usable(streams), data, outputs).checked(data)

    def learned_by(self, model: Model, over_time: OverTime) -> Self:
        """See `Task.learned_by`."""
        if model.head != self.head or not model.leader.rate:
            raise AffuseError(
                f"task={self.name} needs a model with values for every frame: set "
                "model.head=frames, and streams with a rate"
            )
        return type(self)(self.outputs, model.leader.rate, over_time)

    def loss(self, scores: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
        """Scores (B, L, D) on the leader's frames; targets (B, T, D), NaN where unknown."""
        import torch

        from affuse.tasks.losses import agreement_loss, on_frames

        wanted = on_frames(targets, scores.shape[1], self._step)
        weights = torch.tensor(self._weights, device=scores.device)
        return agreement_loss(scores, wanted, weights, self._variant)

    def seen(self, scores: Tensor, targets: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Annotated frames (N, D) and the predictions there."""
        from affuse.tasks.losses import on_frames

        wanted = on_frames(targets, scores.shape[1], self._step)
        known = ~wanted.isnan().any(-1)
        return wanted[known].cpu().numpy(), scores[known].float().cpu().numpy()

    def scores(self, targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
        """CCC, correlation and RMSE of each dimension over all frames, and their means."""
        pairs = list(zip(predicted.T, targets.T, strict=True))
        metrics = {"ccc": ccc, "pcc": pearson, "rmse": rmse}
        each = {
            name: np.array([metric(x, y) for x, y in pairs]) for name, metric in metrics.items()
        }
        return named_scores(each, self.outputs)

    def running(self) -> RunningAgreement:
        """The same of parts."""
        return RunningAgreement(self.outputs)

    def plan(
        self, spec: ModelSpec, leader: StreamSpec, duration: float, hop: float | None = None
    ) -> WindowPlan:
        """Windows of whole frames of the leader; see `Task.plan`.

        Windows that overlap lie two thirds of their length apart, or a hop; those of a spec with
        `windows: published` lie end to end, the last one filled up with absent frames.
        """
        rate = leader.rate
        frames = max(1, int(np.ceil(duration * rate - 1e-6)))
        length = max(1, round(spec.seconds * rate))
        if spec.windows == "published":
            spans = tiles(frames, length)
        else:
            step = round(spec.seconds * 2 / 3 * rate) if hop is None else hop * rate
            spans = frame_windows(frames, length, min(max(step, 1), length))
        starts = np.array([start for start, _ in spans]) / rate
        return WindowPlan(starts, spec.seconds, tuple(spans), frames, rate)

    def answers(self, output: WindowOutput, samples: Sequence[Sample]) -> list[WindowAnswer]:
        """Values per frame; see `Task.answers`."""
        assert output.mask is not None
        values, masks = output.scores, output.mask
        for row, (x, mask) in enumerate(zip(values, masks, strict=True)):
            if not np.isfinite(x[mask]).all():
                raise NotFinite(row)
        return [WindowAnswer(x, mask) for x, mask in zip(values, masks, strict=True)]

    def joined(self, plan: WindowPlan, answers: Sequence[WindowAnswer], spec: ModelSpec) -> Series:
        """The mean over the windows that know a frame, neither smoothed nor clipped.

        Values lie where annotations of them would lie (`ModelSpec.delay`); see `Task.joined`.
        """
        known = [np.asarray(answer.mask)[:, None].astype(np.float32) for answer in answers]
        share = overlap_mean(known, plan.spans, plan.frames)
        said = [answer.values * there for answer, there in zip(answers, known, strict=True)]
        seen = overlap_mean(said, plan.spans, plan.frames)
        mask = share[:, 0] > 0
        series = Series(np.where(mask[:, None], seen / share.clip(1e-9), 0), mask, plan.rate)
        return series.later(spec.delay)

    def latest(
        self,
        said: Series,
        spec: ModelSpec,
        times: np.ndarray,
        leader: tuple[StreamSpec, Stream],
    ) -> np.ndarray:
        """Smoothed as the model file says, and clipped; see `Task.latest`."""
        (values,) = said.smoothed(spec.smoothing).clipped().at(times[:1])
        read, there = leader
        hidden = read.modality == "video" and len(there.mask) and unseen(there, read, times)[0]
        return np.full_like(values, np.nan) if hidden else values

    def moments(self, info: MediaInfo) -> Moments:
        """The time stamps of the images; see `Task.moments`."""
        return frame_moments(info)

    def prediction(
        self,
        recording: Recording,
        said: Series,
        plan: WindowPlan,
        moments: Moments,
        spec: ModelSpec,
        shares: Sequence[Mapping[str, float]],
        leader: tuple[StreamSpec, Stream],
    ) -> ValuesTimeline:
        """Smoothed as the model file says, and clipped; see `Task.prediction`."""
        values = said.smoothed(spec.smoothing).clipped().at(moments.times)
        read, there = leader
        if moments.info.has_video and read.modality == "video" and len(there.mask):
            values[unseen(there, read, moments.times)] = np.nan
        return ValuesTimeline(
            **vars(recording),
            duration=moments.duration,
            model={
                "name": spec.model,
                "window": spec.seconds,
                "windows": spec.windows,
                "smoothing": spec.smoothing,
                **spec.training,
            },
            dimensions=self.outputs,
            times=moments.times,
            values=values,
            shown=None if moments.shown.all() else moments.shown,
            calibration=spec.calibration,
        )

    def judgement(
        self,
        data: Store,
        streams: Sequence[str],
        labels: Labels,
        truth: Path | None,
        conditions: Sequence[str],
    ) -> DimensionalJudgement:
        """See `Task.judgement`."""
        from affuse.tasks.dimensional_judgement import DimensionalJudgement

        return DimensionalJudgement(self.outputs, data, streams, truth, conditions)

    @classmethod
    def summary(cls, result: Mapping[str, Any]) -> list[str | list[dict[str, object]]]:
        """See `Task.summary`."""
        from affuse.tasks.dimensional_summary import dimensional_lines

        return list(dimensional_lines(result))
