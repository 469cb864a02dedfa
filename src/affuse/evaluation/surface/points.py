"""The points of a surface: predictions and scores after one change, kept once they are there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Clip
from affuse.evaluation.evaluate import Evaluation
from affuse.execution.files import file_digest
from affuse.features.store import Store
from affuse.media.changes.registry import Change

#: The folder of the recordings as they are, beside those of changes.
UNCHANGED = "unchanged"
_MADE_FROM = "made_from"


class Points:
    """Predictions and scores after each change, in folders `<change>=<value>`.

    Args:
        evaluation: What is evaluated.
        conditions: Names.
        clips: Those that are predicted.
        folder: Where the folders lie.
    """

    def __init__(
        self, evaluation: Evaluation, conditions: Sequence[str], clips: Sequence[Clip], folder: Path
    ) -> None:
        self._evaluation, self._conditions, self._folder = evaluation, list(conditions), folder
        subject, truth = evaluation.subject, evaluation.truth
        facts = {
            "models": [file_digest(member.file) for member in subject.members],
            "store": subject.data.digest(sorted(subject.streams)),
            "conditions": self._conditions,
            "clips": [clip.id for clip in clips],
            "labels": {"rule": evaluation.rule.rule, **evaluation.rule.changes()},
            "baseline": evaluation.baseline,
            "truth": truth and {file.name: file_digest(file) for file in sorted(truth.glob("*"))},
        }
        text = json.dumps(facts, sort_keys=True, default=str)
        self._made_from = hashlib.sha256(text.encode()).hexdigest()

    def known(self, change: Change | None) -> dict[str, Any] | None:
        """The scores after a change, if they are there of the same models and clips."""
        try:
            path = self._place(change) / "metrics.json"
            scores: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return scores if scores.get(_MADE_FROM) == self._made_from else None

    def measure(self, change: Change | None, data: Store) -> dict[str, Any]:
        """Predict, score and write.

        Args:
            change: What was done to the recordings; None for nothing.
            data: Where the streams are.

        Returns:
            The scores, as `metrics.json` has them.
        """
        judgement, result = self._evaluation.judge(self._conditions, data)
        subject = self._evaluation.subject
        names = [name for name in subject.streams if change is not None and change.touches(name)]
        lost = [
            clip.id
            for part in self._evaluation.parts(judgement)[1]
            for clip in part.clips
            if self._is_lost(clip.id, names, data)
        ]
        told = {} if change is None else {"changes": [str(change)], "lost": sorted({*lost})}
        judgement.write(self._place(change), result | told | {_MADE_FROM: self._made_from})
        return result | told

    def _is_lost(self, clip: str, names: Sequence[str], data: Store) -> bool:
        """Whether nothing is left of streams of which there was something."""
        before, after = (
            [store.stream(name).outline(clip).mask.any() for name in names]
            for store in (self._evaluation.subject.data, data)
        )
        return any(before) and not any(after)

    def _place(self, change: Change | None) -> Path:
        return self._folder / (UNCHANGED if change is None else str(change))
