"""What each clip of a store is to be learned as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.label_file import labels_from_file
from affuse.corpora.labels import Labelled, Labels, label_clips
from affuse.errors import AffuseError, BadInput
from affuse.features.batch import TARGET_RATE
from affuse.features.store import Store
from affuse.features.stream import Stream
from affuse.suggestions import hint
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
        file: Of `labels.file`: its name, digest, and number of clips that are not at hand.
    """

    clips: list[Clip]
    names: list[str]
    target: Target
    unused: dict[str, int]
    votes: dict[str, np.ndarray]
    majority: frozenset[str] = frozenset()
    open: list[Clip] = field(default_factory=list)
    file: dict[str, Any] = field(default_factory=dict)


def lesson(recipe: Recipe, data: Store) -> Lesson:
    """What a recipe makes of a store; see `targets_of`."""
    return targets_of(data, recipe.streams, recipe.task, recipe.labels, recipe.over_time.dimensions)


def targets_of(
    data: Store,
    streams: Sequence[str],
    task: str,
    labels: Labels,
    dimensions: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Lesson:
    """What the clips of a store are to be learned as, or judged by.

    Args:
        data: The store.
        streams: That clips need.
        task: `classification`, `distribution` or `valence-arousal`.
        labels: How clips get their classes.
        dimensions: Of values over time; all of the corpus by default.
        classes: Of a model, in the order of its scores; by default those that the label rule keeps.

    Raises:
        BadInput: The store lacks a stream, no clip has a label, or some have a class that is none
            of `classes`.
        AffuseError: The label rule does not fit the corpus or the task.
    """
    clips = data.usable(streams)
    if task == "valence-arousal":
        found = _annotated(clips, data, dimensions)
    else:
        found = _labelled(clips, data, task, labels, classes)
    if not found.clips:
        reasons = ", ".join(f"{n} {reason}" for reason, n in found.unused.items())
        raise BadInput(data.path, f"has no clip with a label ({reasons or 'no clips'})")
    return found


def _labelled(
    clips: list[Clip], data: Store, task: str, labels: Labels, classes: Sequence[str]
) -> Lesson:
    rule, unused, facts, counted = labels, {}, {}, True
    if rule.file:
        told = labels_from_file(clips, data.corpus, data.classes, rule)
        clips, rule, counted = told.clips, told.labels, told.counted
        name = Path(labels.file).name
        unused = {f"without a row in {name}": told.without} if told.without else {}
        facts = {"name": name, "sha256": told.sha256, "not_at_hand": told.not_at_hand}
    labelled: Labelled = label_clips(clips, data.classes, rule)
    names = list(classes or labelled.classes)
    if unknown := [name for name in labelled.classes if name not in names]:
        raise BadInput(
            data.path,
            f"has the class {unknown[0]}, which the model does not have (it has "
            f"{', '.join(names)}); --labels classes=... scores the clips of some classes alone",
        )
    columns = [names.index(name) for name in labelled.classes]
    shares = np.zeros((len(labelled.clips), len(names)))
    shares[:, columns] = labelled.targets
    if task == "distribution":
        rows = list(shares.astype(np.float32))
    else:
        _check_single(labelled, labels)
        # Of shared first classes that which the corpus names first, whatever the model's order.
        rows = list(np.array(columns)[labelled.targets.argmax(1)].astype(np.int64))
    ids = [clip.id for clip in labelled.clips]
    targets = {name: np.asarray(row) for name, row in zip(ids, rows, strict=True)}
    votes, majority = {}, frozenset[str]()
    if labelled.votes is not None:
        counts = np.zeros_like(shares)
        counts[:, columns] = labelled.votes
        total = 1 if counted else counts.sum(1, keepdims=True)
        votes = dict(zip(ids, counts / total, strict=True))
        rule = replace(rule, rule="majority")
        majority = frozenset(c.id for c in label_clips(labelled.clips, data.classes, rule).clips)

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return targets[clip]

    unused |= labelled.unused
    return Lesson(labelled.clips, names, target, unused, votes, majority, file=facts)


def _check_single(labelled: Labelled, labels: Labels) -> None:
    first = labelled.targets.max(1, keepdims=True)
    ties = int(((labelled.targets == first).sum(1) > 1).sum())
    if ties and labels.ties == "drop":
        raise AffuseError(
            f"labels.rule={labels.rule} leaves {ties} clips without one class: use "
            "task=distribution, labels.rule=plurality, or labels.ties=first"
        )


def _annotated(clips: list[Clip], data: Store, dimensions: Sequence[str]) -> Lesson:
    if not data.has(ANNOTATION):
        raise BadInput(data.path, f"has no values over time; {data.corpus} is not annotated so")
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
        frames = len(track.outline(clip).mask)
        values = target(clip, 0.0, frames / TARGET_RATE)[later(frames, delay)]
        part = Stream(values, np.ones(frames, bool)).cut(track.spec, start, seconds)
        return np.where(part.mask[:, None], part.values, np.nan).astype(np.float32)

    return moved
