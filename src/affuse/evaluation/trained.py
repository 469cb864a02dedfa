"""The models of a run on the clips of a store: one to open them, one to hear what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.features.annotation import AnnotationTrack
from affuse.features.batch import Batch
from affuse.features.extractor import check_same_stream
from affuse.features.store import Store
from affuse.features.stream import Stream, stream_duration
from affuse.models.base import Model
from affuse.models.modelfile import ModelSpec, load_model, move_to
from affuse.models.sliding import Series, slide
from affuse.training.run import MODEL_FILE
from affuse.training.targets import ANNOTATION


def open_fold(folder: Path, data: Store, device: str) -> tuple[Model, ModelSpec]:
    """The model of a trained fold of values over time, checked against a store.

    Args:
        folder: Of the fold.
        data: Where the streams are.
        device: Torch device.

    Raises:
        BadInput: The model does not give values for every frame, or the store has other dimensions.
        AffuseError: A stream of the store is not made as that of the training was.
    """
    model, spec = load_model(folder / MODEL_FILE)
    if model.head != "frames":
        raise BadInput(folder / MODEL_FILE, "gives no values over time")
    check_dimensions(data, spec.classes)
    for name, trained in spec.streams.items():
        check_same_stream(data.stream(name).spec, trained)
    move_to(model, device)
    return model, spec


def check_dimensions(data: Store, names: Sequence[str]) -> None:
    """Refuse a store that does not have the dimensions of a model.

    Raises:
        BadInput: It lacks one of them.
    """
    if other := [name for name in names if name not in data.classes]:
        raise BadInput(
            data.path, f"has the dimensions {', '.join(data.classes)}; the model has {other[0]}"
        )


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
        path = folder / f"{clip.id}.csv"
        if path.is_file():
            track = AnnotationTrack(tuple(names)).extract(Clip(clip.id, annotation=path))
    elif data.has(ANNOTATION) and clip.id in (file := data.stream(ANNOTATION)):
        columns = [data.classes.index(name) for name in names]
        track = Stream(file[clip.id].values[:, columns], file[clip.id].mask)
    return track if track is not None and track.mask.any() else None
