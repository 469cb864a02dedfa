"""Clips with one class each, or with the shares of their raters' votes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.label_file import labels_from_file
from affuse.corpora.labels import Labelled, Labels, label_clips
from affuse.errors import AffuseError, BadInput
from affuse.features.store import Store
from affuse.tasks.targets import TrainingTargets


def labelled(
    clips: list[Clip], data: Store, labels: Labels, classes: Sequence[str], shared: bool
) -> TrainingTargets:
    """Clips with a class, or with shares of classes.

    Args:
        clips: Of the store, with their streams.
        data: The store.
        labels: How clips get their classes.
        classes: Of a model, in the order of its scores; by default those that the rule keeps.
        shared: Whether a target is the shares of all classes, or one class.

    Raises:
        BadInput: Some clips have a class that is none of `classes`.
        AffuseError: The label rule does not fit the corpus, or leaves clips without one class.
    """
    rule, unused, facts, counted = labels, {}, {}, True
    if rule.file:
        told = labels_from_file(clips, data.corpus, data.classes, rule)
        clips, rule, counted = told.clips, told.labels, told.counted
        name = Path(labels.file).name
        unused = {f"without a row in {name}": told.without} if told.without else {}
        facts = {"name": name, "sha256": told.sha256, "not_at_hand": told.not_at_hand}
    found: Labelled = label_clips(clips, data.classes, rule)
    names = list(classes or found.classes)
    if unknown := [name for name in found.classes if name not in names]:
        raise BadInput(
            data.path,
            f"has the class {unknown[0]}, which the model does not have (it has "
            f"{', '.join(names)}); --labels classes=... scores the clips of some classes alone",
        )
    columns = [names.index(name) for name in found.classes]
    shares = np.zeros((len(found.clips), len(names)))
    shares[:, columns] = found.targets
    if shared:
        rows = list(shares.astype(np.float32))
    else:
        _check_single(found, labels)
        # Of shared first classes that which the corpus names first, whatever the model's order.
        rows = list(np.array(columns)[found.targets.argmax(1)].astype(np.int64))
    ids = [clip.id for clip in found.clips]
    targets = {name: np.asarray(row) for name, row in zip(ids, rows, strict=True)}
    votes, majority = {}, frozenset[str]()
    if found.votes is not None:
        counts = np.zeros_like(shares)
        counts[:, columns] = found.votes
        total = 1 if counted else counts.sum(1, keepdims=True)
        votes = dict(zip(ids, counts / total, strict=True))
        rule = replace(rule, rule="majority")
        majority = frozenset(c.id for c in label_clips(found.clips, data.classes, rule).clips)

    def target(clip: str, start: float, seconds: float) -> np.ndarray:
        return targets[clip]

    unused |= found.unused
    return TrainingTargets(found.clips, names, target, unused, votes, majority, file=facts)


def _check_single(labelled: Labelled, labels: Labels) -> None:
    first = labelled.targets.max(1, keepdims=True)
    ties = int(((labelled.targets == first).sum(1) > 1).sum())
    if ties and labels.ties == "drop":
        raise AffuseError(
            f"labels.rule={labels.rule} leaves {ties} clips without one class: use "
            "task=distribution, labels.rule=plurality, or labels.ties=first"
        )
