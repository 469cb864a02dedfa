"""How many clips of each class a corpus gives, by every label rule."""

from __future__ import annotations

from typing import Any

from affuse.corpora.clip import Corpus
from affuse.corpora.labels import VOTE_RULES, Labels, label_clips


def label_counts(corpus: Corpus) -> list[dict[str, Any]]:
    """One row per rule, and per kind of rating for rules that count votes.

    Returns:
        Rows with `rule`, `channel`, `used` (clips), one number per class (clips; for the rule
        `distribution` the sum of shares) and `left_out` (reason -> clips).
    """
    rows = []
    if any(clip.label for clip in corpus.clips):
        rows.append(_row(corpus, Labels()))
    channels = sorted({channel for clip in corpus.clips for channel in clip.votes or ()})
    for channel in channels:
        rows += [_row(corpus, Labels(rule, channel)) for rule in VOTE_RULES]
    return rows


def _row(corpus: Corpus, labels: Labels) -> dict[str, Any]:
    found = label_clips(corpus.clips, corpus.classes, labels)
    if labels.rule == "distribution":
        sums = [round(float(share), 1) for share in found.targets.sum(0)]
    else:
        first = found.targets.argmax(1).tolist()
        sums = [first.count(k) for k in range(len(found.classes))]
    return {
        "rule": labels.rule,
        "channel": "" if labels.rule == "given" else labels.channel,
        "used": len(found.clips),
        **dict(zip(found.classes, sums, strict=True)),
        "left_out": found.unused,
    }
