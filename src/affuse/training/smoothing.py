"""Over how many seconds the predictions of a model are averaged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affuse.corpora.clip import Clip
from affuse.features.batch import TARGET_RATE
from affuse.features.store import Store
from affuse.features.stream import stream_duration
from affuse.metrics.concordance import ccc
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec
from affuse.models.sliding import slide
from affuse.training.recipe import Recipe
from affuse.training.targets import lesson


def best_smoothing(
    model: Model, spec: ModelSpec, data: Store, clips: Sequence[Clip], recipe: Recipe
) -> float:
    """The seconds of a recipe that give the highest mean CCC over all development frames.

    Args:
        model: In evaluation mode.
        spec: Its spec.
        data: Where the streams and annotations are.
        clips: Development clips; of several choices none is made on any other.
        recipe: It lists the choices.

    Returns:
        Seconds; of equals the first.
    """
    choices = recipe.over_time.smoothing
    if len(choices) == 1:
        return choices[0]
    target = lesson(recipe, data).target
    predicted: dict[float, list[np.ndarray]] = {seconds: [] for seconds in choices}
    wanted = []
    for clip in clips:
        streams = {name: data.stream(name)[clip.id] for name in spec.streams}
        duration = stream_duration(streams, spec.streams)
        series = slide(model, spec, streams, duration)
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
