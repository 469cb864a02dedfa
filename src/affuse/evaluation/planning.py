"""How many speakers a comparison of two models needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import AffuseError, BadInput
from affuse.evaluation.pairing import paired
from affuse.evaluation.predictions import Predictions, one_condition
from affuse.metrics.power import (
    LEAST_SPEAKERS,
    Plan,
    independent_plan,
    power,
    smallest_difference,
    speakers_needed,
    spread_between,
)
from affuse.tasks.class_scores import ClassTable

#: Standard deviation between speakers of the difference of two models, where nothing is known.
SPREAD = 0.05


@dataclass(frozen=True)
class Known:
    """What a plan begins with.

    Args:
        speakers: Number.
        clips: Of each speaker, on average.
        plan: How much differences vary.
        said: Where that comes from.
    """

    speakers: int
    clips: float
    plan: Plan
    said: str


def known_from(paths: Sequence[Path], condition: str | None = None) -> Known:
    """What one or two tables of predictions tell.

    Args:
        paths: Tables or runs. Of two, the difference of each speaker counts; of one, the difference
            is taken to vary between speakers as the accuracy does, and the mistakes of another
            model on a clip to have nothing to do with its own.
        condition: Its name; by default the first that all tables have.

    Raises:
        BadInput: A table is not of classes, or of fewer than two speakers.
        AffuseError: There are more than two tables.
    """
    if len(paths) > 2:
        raise AffuseError("name one or two tables: --from A.csv B.csv")
    _, tables = one_condition(paths, condition)
    if len(tables) == 2:
        tables = list(paired(tables[0], tables[1]))
    right = [_right(part) for part in tables]
    speakers = tables[0].speakers
    if speakers is None or len(names := np.unique(speakers)) < 2:
        raise BadInput(tables[0].path, "does not say two speakers or more")
    clips = len(speakers) / len(names)
    if len(right) == 2:
        plan = Plan(*spread_between(right[0].astype(float) - right[1], speakers))
        said = f"the differences of {paths[0]} and {paths[1]}"
    else:
        spread, _ = spread_between(right[0].astype(float), speakers)
        plan = independent_plan(float(right[0].mean()), spread)
        said = f"the accuracy of {paths[0]}, {right[0].mean():.1%}"
    return Known(len(names), clips, plan, said)


def plan_study(known: Known, difference: float | None = None) -> dict[str, Any]:
    """What such a study can show.

    Args:
        known: Speakers, clips, and how much differences vary.
        difference: Of accuracies, 0 to 1, that should be shown.

    Returns:
        JSON values: the smallest difference that is shown with a chance of 80 % at 5 %, and of a
        difference its chance and the speakers that it needs (null: more than a million).

    Raises:
        AffuseError: There are too few speakers.
    """
    if known.speakers < LEAST_SPEAKERS:
        raise AffuseError(
            f"{known.speakers} speakers show nothing at 5 %: {LEAST_SPEAKERS} do at least; say "
            "--speakers"
        )
    deviation = known.plan.deviation(known.clips)
    result: dict[str, Any] = {
        "speakers": known.speakers,
        "clips": known.clips,
        "spread": known.plan.spread,
        "deviation": deviation,
        "smallest_difference": smallest_difference(deviation, known.speakers),
    }
    if difference is not None:
        result["difference"] = difference
        result["power"] = power(deviation, known.speakers, difference)
        result["speakers_needed"] = speakers_needed(deviation, difference)
    return result


def _right(part: Predictions) -> np.ndarray:
    if not isinstance(part.table, ClassTable):
        raise BadInput(part.path, "is of valence and arousal; power plans accuracies")
    return part.table.correct()
