"""Two tables of predictions of the same clips, brought together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from affuse.errors import BadInput
from affuse.evaluation.predictions import Predictions
from affuse.tasks.class_scores import ClassTable
from affuse.tasks.dimensional_scores import SeriesTable

#: How much annotated values may differ; tables round them.
_ROUNDING = 1e-3


def paired(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    """Both with the same classes in the same order, and the speakers and votes that either knows.

    Raises:
        BadInput: They are not of the same clips with the same truth, or not made under the same
            baseline, corpus or protocol.
    """
    for name in ("corpus", "protocol"):
        one, other = first.facts.get(name), second.facts.get(name)
        if one is not None and other is not None and one != other:
            of = [x.get("name", "no name") if isinstance(x, dict) else x for x in (other, one)]
            raise _apart(second, f"is of {name} {of[0]}, {first.path} of {of[1]}")
    if first.baseline != second.baseline:
        told = f"is of baseline {second.baseline}, {first.path} of {first.baseline}"
        raise _apart(second, told)
    second = replace(second, table=_same_kind(first, second))
    for here, there in ((second, first), (first, second)):
        known = {*here.keys}
        if missing := [clip for clip in there.keys if clip not in known]:
            many = f"{len(missing)} of the {len(there.clips)} clips"
            raise BadInput(here.path, f"lacks {many} of {there.path}, such as {missing[0]}")
    _check_truth(first, second)
    one, other = first.speakers, second.speakers
    if one is not None and other is not None:
        for k in np.flatnonzero(one != other)[:1]:
            told = f"has clip {second.clips[k]} by speaker {other[k]}, {first.path} by {one[k]}"
            raise _apart(second, told)
    speakers = other if one is None else one
    tables = _with_votes(first.table, second.table)
    return (
        replace(first, speakers=speakers, table=tables[0]),
        replace(second, speakers=speakers, table=tables[1]),
    )


def _same_kind(first: Predictions, second: Predictions) -> ClassTable | SeriesTable:
    """The second table with its classes in the order of the first."""
    one, other = first.table, second.table
    if isinstance(one, ClassTable) != isinstance(other, ClassTable):
        raise _apart(second, f"is of {second.task}, {first.path} of {first.task}")
    if {*one.names} != {*other.names}:
        kind = "classes" if isinstance(one, ClassTable) else "dimensions"
        told = f"has the {kind} {', '.join(other.names)}; {first.path} has {', '.join(one.names)}"
        raise _apart(second, told)
    order = [other.names.index(name) for name in one.names]
    if isinstance(other, SeriesTable):
        predicted, true = ([x[:, order] for x in part] for part in (other.predicted, other.true))
        return SeriesTable(one.names, predicted, true)
    place = np.argsort(order)
    votes = None if other.votes is None else other.votes[:, order]
    return ClassTable(
        one.names, place[other.true], place[other.predicted], other.probabilities[:, order], votes
    )


def _with_votes(
    one: ClassTable | SeriesTable, other: ClassTable | SeriesTable
) -> tuple[ClassTable | SeriesTable, ClassTable | SeriesTable]:
    """Both with the votes that either has."""
    if not isinstance(one, ClassTable) or not isinstance(other, ClassTable):
        return one, other
    votes = other.votes if one.votes is None else one.votes
    return replace(one, votes=votes), replace(other, votes=votes)


def _check_truth(first: Predictions, second: Predictions) -> None:
    """Refuse tables that have other labels or annotations of a clip."""
    one, other = first.table, second.table
    if isinstance(one, ClassTable) and isinstance(other, ClassTable):
        for k in np.flatnonzero(one.true != other.true)[:1]:
            labels = other.names[other.true[k]], one.names[one.true[k]]
            told = f"has clip {second.clips[k]} as {labels[0]}, {first.path} as {labels[1]}"
            raise _apart(second, told)
        if one.votes is not None and other.votes is not None:
            for k in np.flatnonzero((abs(one.votes - other.votes) > _ROUNDING).any(1))[:1]:
                raise _apart(second, f"has other votes for clip {second.clips[k]}")
    elif isinstance(one, SeriesTable) and isinstance(other, SeriesTable):
        for clip, x, y in zip(second.clips, one.true, other.true, strict=True):
            if len(x) != len(y):
                told = f"has {len(y)} annotated frames of clip {clip}, {first.path} has {len(x)}"
                raise _apart(second, told)
            if (abs(x - y) > _ROUNDING).any():
                raise _apart(second, f"has another annotation of clip {clip} than {first.path}")


def _apart(second: Predictions, reason: str) -> BadInput:
    return BadInput(second.path, f"{reason}: they cannot be compared")
