"""What a model of values over time says about the clips of a store, and what is true of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from affuse.corpora.clip import Clip
from affuse.execution.names import path_below
from affuse.features.annotation import AnnotationTrack
from affuse.features.batch import Batch
from affuse.features.store import Store
from affuse.features.stream import Stream, stream_duration
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec
from affuse.models.sliding import Series, slide
from affuse.training.targets import ANNOTATION


def predicted_series(
    model: Model,
    spec: ModelSpec,
    data: Store,
    clip: Clip,
    change: Callable[[Batch], Batch] | None = None,
) -> Series:
    """What a model says about a clip of a store, neither smoothed nor clipped.

    Args:
        model: In evaluation mode.
        spec: Its spec.
        data: Where the streams are.
        clip: The clip.
        change: What a condition does to each normalised batch.
    """
    streams = {name: data.stream(name)[clip.id] for name in spec.streams}
    duration = stream_duration(streams, spec.streams)
    return slide(model, spec, streams, duration, change, name=clip.id)


def filled(series: Series, times: ArrayLike) -> np.ndarray:
    """Values at some times; where nothing is known, on a line between the known neighbours.

    Args:
        series: Of a model, known in some frame.
        times: (N,) seconds.

    Returns:
        (N, D) float64; before the first and after the last known frame the values of these.

    Raises:
        ValueError: No frame is known.
    """
    frames = np.flatnonzero(series.mask)
    if not len(frames):
        raise ValueError("nothing is known in any frame")
    places = np.asarray(times, np.float64) * series.rate
    columns = [np.interp(places, frames, x) for x in series.values[frames].T.astype(np.float64)]
    return np.stack(columns, 1)


def truth_of(clip: Clip, data: Store, names: Sequence[str], folder: Path | None) -> Stream | None:
    """What the values of a clip should be, at 30 Hz.

    Args:
        clip: The clip.
        data: Where the annotation is.
        names: The dimensions, in this order.
        folder: With files `<clip>.csv` (columns `time` and the dimensions), used instead of the
            annotation.

    Returns:
        (T, D) float32, masked where nobody annotated; None where nothing is known of the clip.

    Raises:
        BadInput: The file is no such table.
    """
    track: Stream | None = None
    if folder is not None:
        path = path_below(folder, clip.id, ".csv")
        if path.is_file():
            track = AnnotationTrack(tuple(names)).extract(Clip(clip.id, annotation=path))
    elif data.has(ANNOTATION) and clip.id in (file := data.stream(ANNOTATION)):
        columns = [data.classes.index(name) for name in names]
        track = Stream(file[clip.id].values[:, columns], file[clip.id].mask)
    return track if track is not None and track.mask.any() else None
