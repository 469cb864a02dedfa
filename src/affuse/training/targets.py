"""What each clip of a store is to be learned as."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.labels import Labelled, label_clips
from affuse.errors import AffuseError, BadInput
from affuse.features.batch import TARGET_RATE
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.training.recipe import Recipe

#: Stream with the annotation of a clip.
ANNOTATION = "label/valence-arousal"

#: Clip id, start and length of a window in seconds -> the target of that window.
Target = Callable[[str, float, float], np.ndarray]


@dataclass(frozen=True)
class Lesson:
    """The clips that can be learned from, and as what.

    Args:
        clips: In the order of the store.
        names: Of the classes or dimensions.
        target: () int64 class, (C,) float32 shares or (T, D) float32 values at `TARGET_RATE`.
        unused: Reason -> number of clips that have their streams and nothing to learn.
        votes: Clip id -> (C,) number of raters per class, where labels come from votes.
        majority: Clips of whose votes one class has more than half.
        open: Clips that can be predicted, but neither learned from nor judged.
    """

    clips: list[Clip]
    names: list[str]
    target: Target
    unused: dict[str, int]
    votes: dict[str, np.ndarray]
    majority: frozenset[str] = frozenset()
    open: list[Clip] = field(default_factory=list)


def lesson(recipe: Recipe, data: Store) -> Lesson:
    """What a recipe makes of a store.

    Raises:
        BadInput: The store lacks a stream, or no clip has a label.
        AffuseError: The label rule does not fit the corpus or the task.
    """
    clips = data.usable(recipe.streams)
    if recipe.task == "valence-arousal":
        found = _annotated(clips, data, recipe.over_time.dimensions)
    else:
        found = _labelled(clips, data, recipe)
    if not found.clips:
        reasons = ", ".join(f"{n} {reason}" for reason, n in found.unused.items())
        raise BadInput(data.path, f"has no clip to learn from ({reasons or 'no clips'})")
    return found


def _labelled(clips: list[Clip], data: Store, recipe: Recipe) -> Lesson:
    labelled: Labelled = label_clips(clips, data.classes, recipe.labels)
    if recipe.task == "distribution":
        rows = list(labelled.targets.astype(np.float32))
    else:
        _check_single(labelled, recipe)
        rows = list(labelled.targets.argmax(1).astype(np.int64))
    ids = [clip.id for clip in labelled.clips]
    targets = {name: np.asarray(row) for name, row in zip(ids, rows, strict=True)}
    votes, majority = {}, frozenset[str]()
    if labelled.votes is not None:
        votes = dict(zip(ids, labelled.votes, strict=True))
        rule = replace(recipe.labels, rule="majority")
        majority = frozenset(c.id for c in label_clips(labelled.clips, data.classes, rule).clips)

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return targets[clip]

    names = list(labelled.classes)
    return Lesson(labelled.clips, names, target, labelled.unused, votes, majority)


def _check_single(labelled: Labelled, recipe: Recipe) -> None:
    first = labelled.targets.max(1, keepdims=True)
    ties = int(((labelled.targets == first).sum(1) > 1).sum())
    if ties and recipe.labels.ties == "drop":
        raise AffuseError(
            f"labels.rule={recipe.labels.rule} leaves {ties} clips without one class: use "
            "task=distribution, labels.rule=plurality, or labels.ties=first"
        )


def _annotated(clips: list[Clip], data: Store, dimensions: tuple[str, ...]) -> Lesson:
    if not data.has(ANNOTATION):
        raise BadInput(data.path, f"has no values over time; {data.corpus} is not annotated so")
    track = data.stream(ANNOTATION)
    names = list(dimensions or data.classes)
    if unknown := [name for name in names if name not in data.classes]:
        raise BadInput(
            data.path, f"has no dimension {unknown[0]!r} (there are: {', '.join(data.classes)})"
        )
    columns = [data.classes.index(name) for name in names]
    known = [clip for clip in clips if clip.id in track and track[clip.id].mask.any()]

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        part = track[clip].cut(track.spec, start, seconds)
        values = part.values[:, columns]
        return np.where(part.mask[:, None], values, np.nan).astype(np.float32)

    if track.spec.rate != TARGET_RATE:
        raise BadInput(data.path, f"has {ANNOTATION} at {track.spec.rate} Hz, not {TARGET_RATE}")
    annotated = {clip.id for clip in known}
    others = [clip for clip in clips if clip.id not in annotated]
    unused = {"without annotation": len(others)} if others else {}
    return Lesson(known, names, target, unused, {}, open=others)


def later(frames: int, delay: float) -> np.ndarray:
    """(frames,) numbers of the frames that lie so many seconds later, at the end the last one."""
    return np.minimum(np.arange(frames) + round(delay * TARGET_RATE), frames - 1)


def delayed(target: Target, data: Store, delay: float) -> Target:
    """Targets that lie so many seconds later than what they are about.

    Args:
        target: Of values over time, where the annotation has them.
        data: The store that it is of.
        delay: Seconds; the last frame is repeated for as long.
    """
    if not delay:
        return target
    track = data.stream(ANNOTATION)

    def moved(clip: str, start: float, seconds: float) -> np.ndarray:
        frames = len(track[clip].mask)
        values = target(clip, 0.0, frames / TARGET_RATE)[later(frames, delay)]
        part = Stream(values, np.ones(frames, bool)).cut(track.spec, start, seconds)
        return np.where(part.mask[:, None], part.values, np.nan).astype(np.float32)

    return moved
