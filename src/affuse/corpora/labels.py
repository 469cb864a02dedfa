"""Label rules: from what was acted, or what raters chose, to what a model learns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from affuse.corpora.clip import Clip
from affuse.corpora.spelling import with_classes
from affuse.errors import AffuseError
from affuse.suggestions import hint

Rule = Literal["given", "plurality", "majority", "distribution"]
#: Rules that count votes, each with what it keeps.
VOTE_RULES: dict[Rule, str] = {
    "plurality": "clips with one class of most votes",
    "majority": "clips with a class of more than half of the votes",
    "distribution": "all clips with votes, for task=distribution",
}


@dataclass(frozen=True)
class Labels:
    """How clips get their labels.

    Args:
        rule: `given` (what was acted, or what the publisher decided), or by votes: `plurality`
            (one class has most votes), `majority` (more than half), `distribution` (any votes).
        channel: What raters perceived: `audio`, `video` or `audio-visual`, where a corpus has
            votes for each.
        map: Class of a corpus -> class that it counts as, such as calm -> neutral; others stay. Of
            several corpora, emotions have one name each by default (`emotions.shared_words`).
        classes: Classes to keep, in the order of their index; all of the corpus by default.
        ties: Clips whose first class is shared: `drop`, or `first` (the class that comes first, as
            published code does that trains on all clips with one label each).
        least: Votes that a class needs; those for a class with fewer count for nothing (published
            for FER+: 2).
        others: What becomes of votes for none of the classes, such as "unknown": `ignore`, or
            `count` (they count in a majority, and a clip with more of one of them than of any class
            is left out, as published for FER+).
        unrated: What becomes of clips without votes, such as those of actors beside those of
            raters: `drop`, or `given` (what was acted counts as one vote).
        smoothing: Share of the vote shares that is spread over all classes; published: 0.06, which
            gives 0.01 + 0.94 p for six classes.
        file: Label file whose classes or votes are taken in place of the corpus' own
            (`labels_from_file`); empty for none.

    Source: AuxFormer (ICASSP 2022), partitions P, M and D of its label files; Barsoum et al., ICMI
    2016 (FER+), without its limits on the number of classes of an image.
    """

    rule: Rule = "given"
    channel: str = "audio-visual"
    map: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    ties: Literal["drop", "first"] = "drop"
    least: int = 1
    others: Literal["ignore", "count"] = "ignore"
    unrated: Literal["drop", "given"] = "drop"
    smoothing: float = 0.0
    file: str = ""

    def __post_init__(self) -> None:
        if self.least < 1:
            raise ValueError(f"labels.least must be at least 1, not {self.least}")
        if self.map and self.file:
            raise ValueError("labels.map and labels.file exclude each other")
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"labels.smoothing must be from 0 to below 1, not {self.smoothing}")

    def changes(self) -> dict[str, Any]:
        """What is not as by default, as JSON values."""
        default = asdict(Labels())
        own = {k: v for k, v in asdict(self).items() if v != default[k]}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in own.items()}


@dataclass(frozen=True)
class Labelled:
    """Clips with their labels.

    Args:
        clips: Those that the rule keeps, in their order.
        classes: Class names in the order of their index.
        targets: (N, C) float64; rows sum to 1: shares of the votes, or one-hot for given labels.
            The class of a clip is the first of its largest entries.
        votes: (N, C) float64 numbers of raters, or None where labels are given.
        unused: Reason -> number of clips that the rule leaves out.
    """

    clips: list[Clip]
    classes: tuple[str, ...]
    targets: np.ndarray
    votes: np.ndarray | None
    unused: dict[str, int]


def label_clips(clips: Sequence[Clip], classes: Sequence[str], labels: Labels) -> Labelled:
    """Apply a label rule.

    Args:
        clips: Clips of a corpus.
        classes: Its classes.
        labels: The rule.

    Raises:
        AffuseError: A class that the corpus does not have, or no clip has a label by this rule.
    """
    if labels.map:
        clips = [with_classes(clip, labels.map) for clip in clips]
        classes = list(dict.fromkeys(labels.map.get(name, name) for name in classes))
    chosen = tuple(labels.classes or classes)
    if wrong := [name for name in chosen if name not in classes]:
        raise AffuseError(f"labels.classes: no class named {wrong[0]!r}; {hint(wrong[0], classes)}")
    if labels.rule == "given":
        return _given(clips, chosen)
    counts = count_votes(clips, _answers(clips, classes, labels), labels.channel)
    counts[counts < labels.least] = 0
    if labels.unrated == "given":
        column = {name: k for k, name in enumerate(classes)}
        for row, clip in enumerate(clips):
            if not clip.votes and clip.label in column:
                counts[row, column[clip.label]] = 1
    if len(counts) and not counts.any():
        kinds = sorted({kind for clip in clips for kind in clip.votes or ()})
        raise AffuseError(
            f"labels.channel={labels.channel}: no clip has such votes "
            f"(there are {_list(kinds) if kinds else 'no votes at all; use labels.rule=given'})"
        )
    columns = [list(classes).index(name) for name in chosen]
    reasons = [_reason(count, columns, len(classes), labels) for count in counts]
    keep = [row for row, reason in enumerate(reasons) if not reason]
    votes = counts[np.ix_(keep, columns)]
    shares = votes / votes.sum(1, keepdims=True)
    return Labelled(
        [clips[row] for row in keep],
        chosen,
        labels.smoothing / len(chosen) + (1 - labels.smoothing) * shares,
        votes,
        dict(Counter(reason for reason in reasons if reason)),
    )


def count_votes(clips: Sequence[Clip], classes: Sequence[str], channel: str) -> np.ndarray:
    """(N, C) float64: how many raters chose each class; zeros for a clip without such votes.

    Votes for what is none of the classes do not count.
    """
    counts = np.zeros((len(clips), len(classes)))
    for row, clip in enumerate(clips):
        votes = (clip.votes or {}).get(channel, {})
        counts[row] = [votes.get(name, 0.0) for name in classes]
    return counts


def _answers(clips: Sequence[Clip], classes: Sequence[str], labels: Labels) -> list[str]:
    """The classes, and what else raters answered where that counts."""
    given = {name for clip in clips for name in (clip.votes or {}).get(labels.channel, {})}
    others = sorted(given - set(classes)) if labels.others == "count" else []
    return [*classes, *others]


def _reason(count: np.ndarray, columns: list[int], classes: int, labels: Labels) -> str:
    """Why a clip with these votes, of which the first are for classes, is left out; or nothing."""
    if not count.any():
        return "without votes"
    if count[classes:].max(initial=0) > count[:classes].max():
        return "of none of the classes"
    if not count[columns].any():
        return "of other classes"
    if labels.rule == "distribution":
        return ""
    top = int(count.argmax())
    if labels.rule == "majority" and 2 * count[top] <= count.sum():
        return "without a majority"
    if labels.ties == "drop" and (count == count[top]).sum() > 1:
        return "ties"
    return "" if top in columns else "of other classes"


def _given(clips: Sequence[Clip], classes: tuple[str, ...]) -> Labelled:
    index = {name: k for k, name in enumerate(classes)}
    kept = [clip for clip in clips if clip.label in index]
    unlabelled = sum(clip.label is None for clip in clips)
    reasons = {
        "without a label": unlabelled,
        "of other classes": len(clips) - len(kept) - unlabelled,
    }
    targets = np.eye(len(classes))[[index[str(clip.label)] for clip in kept]]
    return Labelled(kept, classes, targets, None, {r: n for r, n in reasons.items() if n})


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
