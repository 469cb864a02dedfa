"""Models built by hand, generated streams, and what an explanation says about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from affuse.features.batch import Batch, Normalisation
from affuse.features.stream import Stream, StreamSpec
from affuse.inference.attribution.explainer import Explainer
from affuse.inference.attribution.parts import SoundBand
from affuse.inference.sliding import Sliding, all_answers
from affuse.models.base import Head, Model, Output
from affuse.models.layers.pooling import masked_mean
from affuse.models.sliding import WindowModel
from affuse.models.spec import ModelSpec
from affuse.tasks.explanation import Explanation
from affuse.tasks.moments import Moments
from affuse.tasks.prediction import Prediction, Recording
from affuse.tasks.registry import task_of
from affuse.tasks.windows import WindowAnswer

SOUND = StreamSpec("audio/mfcc10", 20.0, (2,))
SPECTRUM = StreamSpec(
    "audio/logmel16-16k",
    20.0,
    (16,),
    recipe={"rate": 16000, "fmin": 50.0, "fmax": 8000.0, "scale": "htk"},
    kind="spectrum",
)
FACES = StreamSpec(
    "video/aligned28", 10.0, (28, 28, 3), "uint8", {"align": True, "margin": 0.0}, kind="pictures"
)
CROPS = StreamSpec("video/faces12", 10.0, (12, 12, 3), "uint8", kind="pictures")
UNITS = StreamSpec("video/openface", 10.0, (3,), recipe={"columns": ["AU01_r", "AU04_r", "AU12_r"]})
GREY = Normalisation((128.0,), (64.0,))

#: Means over time (B, ...) of a stream by its name, zero where it is absent -> scores (B, K).
Scores = Callable[[Mapping[str, Tensor]], Tensor]


class ByHand(Model):
    """Scores of the means of streams over time; or, per frame, of the streams frame by frame."""

    def __init__(
        self, streams: Sequence[StreamSpec], scores: Scores, outputs: int, head: Head = "classes"
    ) -> None:
        super().__init__({spec.name: spec for spec in streams}, outputs, head)
        self.scores = scores
        self.nothing = torch.nn.Parameter(torch.zeros(1))

    def forward(self, batch: Batch) -> Output:
        if self.head == "classes":
            flat = {n: x.flatten(2) for n, x in batch.streams.items()}
            means = {n: masked_mean(x, batch.masks[n]) for n, x in flat.items()}
            shaped = {n: x.reshape(len(x), *batch.streams[n].shape[2:]) for n, x in means.items()}
            return Output(self.scores(shaped))
        mask = torch.stack(list(batch.masks.values())).any(0)
        rows = {n: x.flatten(0, 1) for n, x in batch.streams.items()}
        scores = self.scores(rows)
        return Output(scores.reshape(*mask.shape, -1), {}, mask)


def spec_of(
    streams: Sequence[StreamSpec],
    outputs: Sequence[str],
    head: Head = "classes",
    statistics: Mapping[str, Normalisation] | None = None,
    window: float = 2.0,
    **options: Any,
) -> ModelSpec:
    task = "classification" if head == "classes" else "valence-arousal"
    specs = {spec.name: spec for spec in streams}
    return ModelSpec(
        "early", {}, specs, dict(statistics or {}), list(outputs), task, window, **options
    )


def noise(spec: StreamSpec, seconds: float, seed: int = 0) -> Stream:
    """A stream of noise that is there throughout."""
    random = np.random.default_rng(seed)
    shape = (max(1, round(seconds * spec.rate)), *spec.shape)
    if spec.is_picture:
        values: np.ndarray = random.integers(0, 256, shape, np.uint8)
    else:
        values = random.normal(0, 1, shape).astype(spec.dtype)
    return Stream(values, np.ones(len(values), bool))


def gone(spec: StreamSpec, seconds: float) -> Stream:
    """A stream that is not there."""
    return Stream.absent(spec, seconds)


def explain(
    model: Model,
    spec: ModelSpec,
    streams: Mapping[str, Stream],
    seconds: float,
    stretch: float = 0.5,
    hop: float | None = None,
    filtered: Mapping[SoundBand, Iterator[Stream]] | None = None,
) -> Explanation:
    """What the model says about streams rests on."""
    found = predict(model, spec, streams, seconds, stretch, hop, filtered).explanation
    assert found is not None
    return found


def predict(
    model: Model,
    spec: ModelSpec,
    streams: Mapping[str, Stream],
    seconds: float,
    stretch: float = 0.5,
    hop: float | None = None,
    filtered: Mapping[SoundBand, Iterator[Stream]] | None = None,
) -> Prediction:
    """What a model says about streams, as `Predictor` makes it of a recording."""
    from dataclasses import replace

    task = task_of(spec.task, spec.outputs)
    plan = task.plan(spec, model.leader, seconds, hop)
    applied = WindowModel(model.eval(), spec)
    explainer = Explainer(task, applied, plan, seconds, stretch, filtered)

    def fixed(name: str, number: int) -> Stream:
        return streams[name]

    sliding = Sliding(task, applied, plan, seconds, fixed=fixed, watch=explainer.watch)
    flowing = {name: x for name, x in streams.items() if spec.streams[name].span is None}
    for name, stream in flowing.items():
        explainer.push(name, stream)
    answers = all_answers(sliding, flowing)
    times = np.arange(round(seconds * 10)) / 10
    info: Any = SimpleNamespace(has_video=True)
    moments = Moments(seconds, times, np.ones(len(times), bool), info)
    leader = model.leader

    def predicted(some: Sequence[WindowAnswer]) -> Prediction:
        return task.prediction(
            Recording(source=Path("a.mp4"), presence={}),
            task.joined(plan, some, spec),
            plan,
            moments,
            spec,
            sliding.shares,
            (leader, sliding.windows.present(leader.name)),
        )

    prediction = predicted(answers)
    return replace(prediction, explanation=explainer.explanation(prediction, predicted))
