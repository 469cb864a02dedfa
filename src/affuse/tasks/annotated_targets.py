"""Clips whose valence and arousal were annotated over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.execution.names import path_below
from affuse.features.annotation import AnnotationTrack
from affuse.features.store import Store
from affuse.features.stream import TARGET_RATE, Stream
from affuse.suggestions import hint
from affuse.tasks.targets import ANNOTATION, Target, TrainingTargets


def annotated(clips: list[Clip], data: Store, dimensions: Sequence[str]) -> TrainingTargets:
    """Clips with an annotation of valence and arousal over time.

    Args:
        clips: Of the store, with their streams.
        data: The store.
        dimensions: All of the corpus by default.

    Raises:
        BadInput: The store has no annotation, or not at `TARGET_RATE`, or lacks a dimension.
    """
    if not data.has(ANNOTATION):
        raise BadInput(
            data.path, f"has no continuous valence and arousal; {data.corpus} is not annotated so"
        )
    track = data.stream(ANNOTATION)
    names = list(dimensions or data.classes)
    if wrong := [name for name in names if name not in data.classes]:
        raise BadInput(data.path, f"has no dimension {wrong[0]!r}; {hint(wrong[0], data.classes)}")
    columns = [data.classes.index(name) for name in names]
    known = [clip for clip in clips if clip.id in track and track.outline(clip.id).mask.any()]

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        part = track[clip].cut(track.spec, start, seconds)
        values = part.values[:, columns]
        return np.where(part.mask[:, None], values, np.nan).astype(np.float32)

    if track.spec.rate != TARGET_RATE:
        raise BadInput(data.path, f"has {ANNOTATION} at {track.spec.rate} Hz, not {TARGET_RATE}")
    those = {clip.id for clip in known}
    others = [clip for clip in clips if clip.id not in those]
    unused = {"without annotation": len(others)} if others else {}
    return TrainingTargets(known, names, target, unused, {}, open=others)


def later(frames: int, delay: float) -> np.ndarray:
    """(frames,) numbers of the frames that lie so many seconds later, at the end the last one."""
    return np.minimum(np.arange(frames) + round(delay * TARGET_RATE), frames - 1)


def delayed(target: Target, data: Store, delay: float) -> Target:
    """Targets that lie so many seconds later than what they are about.

    Args:
        target: Of continuous valence and arousal, where the annotation has them.
        data: The store that it is of.
        delay: Seconds; the last frame is repeated for as long.
    """
    if not delay:
        return target
    track = data.stream(ANNOTATION)

    def moved(clip: str, start: float, seconds: float) -> np.ndarray:
        frames = len(track.outline(clip).mask)
        values = target(clip, 0.0, frames / TARGET_RATE)[later(frames, delay)]
        part = Stream(values, np.ones(frames, bool)).cut(track.spec, start, seconds)
        return np.where(part.mask[:, None], part.values, np.nan).astype(np.float32)

    return moved


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
