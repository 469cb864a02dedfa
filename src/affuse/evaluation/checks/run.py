"""Runs checks on a model, and gathers what they found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from affuse.evaluation.checks.examined import UNCHANGED, Examined
from affuse.evaluation.checks.outcome import NotApplicable, Outcome
from affuse.evaluation.checks.recordings import placed
from affuse.evaluation.checks.registry import CHECKS, CheckEntry
from affuse.evaluation.evaluate import Evaluation
from affuse.suggestions import unknown
from affuse.tasks.windows import NotFinite

#: Clips of which streams are made again and again.
SAMPLE = 60
PASSED, FAILED, SKIPPED = "pass", "FAIL", "not applicable"


def check_model(
    path: Path,
    store: Path | Sequence[Path] | None = None,
    only: Sequence[str] = (),
    *,
    protocol: str | None = None,
    fold: int | None = None,
    labels: Mapping[str, Any] | None = None,
    root: Path | None = None,
    clips: int = SAMPLE,
    device: str = "cpu",
    workers: int = 1,
    out: Path | None = None,
    tell: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Check a model file, or the folds of a run, on the clips of a store.

    Args:
        path: Model file, or folder that `train` made.
        store: Where the streams are; of a run, if they have moved since training.
        only: Names of checks or of groups; all by default.
        protocol: Of a model file: whose test clips it is checked on; all of the store by default.
        fold: Of the protocol.
        labels: Of a model file of classes: how clips get their labels, see `evaluate`.
        root: Folder of the corpus that the store was made of; without it checks that need
            recordings do not apply.
        clips: That are made anew of recordings, and changed in other ways.
        device: Torch device.
        workers: Processes that read recordings.
        out: Where results are going to lie.
        tell: Called with every row when it is known.

    Returns:
        JSON values: what was checked, the counts of verdicts, and `checks`, a row for each.

    Raises:
        BadInput: Model, store or recordings cannot be used.
        AffuseError: The arguments do not go together, or there is no such check.
    """
    wanted = chosen(only)
    evaluation = Evaluation(
        path,
        store,
        device,
        protocol=protocol,
        fold=fold,
        labels=labels,
        out=out or Path(gettempdir()),
    )
    subject = evaluation.subject
    changes = [e.arguments["change"] for e in CHECKS.values() if "change" in e.arguments]
    names = [UNCHANGED, *dict.fromkeys(changes)]
    judgement = evaluation.empty(names)
    role, parts = evaluation.parts(judgement)
    model = Examined(subject, parts, judgement, device, root, clips, workers)
    if root is not None:
        placed(model, model.some())
    rows = []
    for name in wanted:
        rows.append(_row(name, CHECKS[name], model))
        if tell is not None:
            tell(rows[-1])
    count = [row["verdict"] for row in rows].count
    facts = subject.facts(role, parts)
    return {
        "model": subject.title,
        "task": subject.task.name,
        "corpus": subject.data.corpus,
        "role": role,
        "clips": len(model.clips),
        "speakers": len({*model.speakers.values()}),
        "recordings": root is not None,
        "warnings": facts["warnings"],
        "passed": count(PASSED),
        "failed": count(FAILED),
        "not_applicable": count(SKIPPED),
        "checks": rows,
    }


def chosen(only: Sequence[str]) -> list[str]:
    """Names of checks, in the order of the registry.

    Args:
        only: Names of checks or of groups; all where there are none.

    Raises:
        AffuseError: There is no such check.
    """
    groups = dict.fromkeys(entry.group for entry in CHECKS.values())
    for name in only:
        if name not in CHECKS and name not in groups:
            raise unknown("check", name, [*CHECKS, *groups], CHECKS.listed_by)
    return [n for n, e in CHECKS.items() if not only or n in only or e.group in only]


def _row(name: str, entry: CheckEntry, model: Examined) -> dict[str, Any]:
    """What a check found as JSON values."""
    row: dict[str, Any] = {"name": name, "group": entry.group, "question": entry.summary}
    try:
        outcome = entry.load()(model, **entry.arguments)
    except NotApplicable as error:
        return row | _facts(SKIPPED, reason=str(error))
    except NotFinite as error:
        return row | _facts(FAILED, reason=str(error))
    return row | _facts(PASSED if outcome.passed else FAILED, outcome)


def _facts(verdict: str, outcome: Outcome | None = None, reason: str = "") -> dict[str, Any]:
    if outcome is None:
        empty = dict.fromkeys(("measured", "limit", "best", "unit", "said", "why"))
        return {"verdict": verdict, **empty, "reason": reason, "bars": []}
    return {
        "verdict": verdict,
        "measured": outcome.measured if isfinite(outcome.measured) else None,
        "limit": outcome.limit,
        "best": outcome.best,
        "unit": outcome.unit,
        "said": outcome.said,
        "why": outcome.why,
        "reason": None,
        "bars": [asdict(bar) for bar in outcome.bars],
    }
