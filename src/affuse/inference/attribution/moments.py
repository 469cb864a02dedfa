"""The moments of a prediction as rows of outputs, whatever its task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import Literal

import numpy as np

from affuse.tasks.prediction import Prediction
from affuse.tasks.timeline import Timeline
from affuse.tasks.values import ValuesTimeline


@dataclass(frozen=True)
class Moments:
    """What is predicted, moment by moment.

    Args:
        unit: `probability` of classes, or `value` of dimensions.
        starts: (N,) seconds.
        ends: (N,) seconds.
        rows: (N, K) float32; NaN where nothing is known.
    """

    unit: Literal["probability", "value"]
    starts: np.ndarray
    ends: np.ndarray
    rows: np.ndarray


@singledispatch
def moments_of(prediction: Prediction) -> Moments:
    """The moments of a prediction.

    Raises:
        TypeError: Of a kind that is not known here.
    """
    raise TypeError(f"{type(prediction).__name__} has no moments")


@moments_of.register
def _windows(prediction: Timeline) -> Moments:
    return Moments("probability", prediction.starts, prediction.ends, prediction.probabilities)


@moments_of.register
def _frames(prediction: ValuesTimeline) -> Moments:
    times = prediction.times
    ends = np.append(times[1:], max(prediction.duration, times[-1]))
    return Moments("value", times, ends, prediction.values)
