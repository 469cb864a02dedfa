"""Over how many seconds the predictions of a model are averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from affuse.corpora.clip import Clip
from affuse.features.batch import TARGET_RATE
from affuse.features.speakers import SpeakerBaselines
from affuse.features.store import Store
from affuse.features.stream import Stream, stream_duration, window_of
from affuse.metrics.concordance import ccc
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec
from affuse.models.sliding import WindowModel
from affuse.tasks.dimensional import Dimensional
from affuse.tasks.series import Series
from affuse.tasks.windows import WindowAnswer
from affuse.training.recipe import Recipe
from affuse.training.targets import training_targets


def best_smoothing(
    model: Model,
    spec: ModelSpec,
    data: Store,
    clips: Sequence[Clip],
    recipe: Recipe,
    speakers: SpeakerBaselines | None = None,
) -> float:
    """The seconds of a recipe that give the highest mean CCC over all development frames.

    Args:
        model: In evaluation mode.
        spec: Its spec.
        data: Where the streams and annotations are.
        clips: Development clips; of several choices none is made on any other.
        recipe: It lists the choices.
        speakers: Standardises clips by what is known of their speakers.

    Returns:
        Seconds; of equals the first.
    """
    choices = recipe.over_time.smoothing
    if len(choices) == 1:
        return choices[0]
    target = training_targets(recipe, data).target
    predicted: dict[float, list[np.ndarray]] = {seconds: [] for seconds in choices}
    wanted, task, applied = [], Dimensional(spec.outputs), WindowModel(model, spec)
    for clip in clips:
        streams = {name: data.stream(name)[clip.id] for name in spec.streams}
        streams = speakers.moved(clip.id, streams) if speakers else streams
        duration = stream_duration(streams, spec.streams)
        series = _series(task, applied, model, streams, duration)
        truth = target(clip.id, 0.0, duration)
        times = np.arange(len(truth)) / TARGET_RATE
        known = ~np.isnan(truth).any(1) & ~np.isnan(series.at(times)).any(1)
        wanted.append(truth[known])
        for seconds in choices:
            predicted[seconds].append(series.smoothed(seconds).clipped().at(times)[known])
    truth = np.concatenate(wanted)

    def score(seconds: float) -> float:
        values = np.concatenate(predicted[seconds])
        return float(np.mean([ccc(x, y) for x, y in zip(values.T, truth.T, strict=True)]))

    return max(choices, key=score)


def _series(
    task: Dimensional,
    applied: WindowModel,
    model: Model,
    streams: Mapping[str, Stream],
    duration: float,
) -> Series:
    """What a model says about a whole clip, before any smoothing."""
    plan = task.plan(applied.spec, model.leader, duration)
    embedded = {name: applied.embed(name, x, slice(None)) for name, x in streams.items()}
    answers: list[WindowAnswer] = []
    for first in range(0, len(plan.starts), task.batch):
        samples = [
            window_of(embedded, applied.specs, float(start), plan.seconds)
            for start in plan.starts[first : first + task.batch]
        ]
        answers += task.answers(applied.outputs(samples)[0], samples)
    return task.joined(plan, answers, applied.spec)
