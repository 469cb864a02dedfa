"""How far coders, people or models, agree about the same recordings, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from affuse.errors import AffuseError
from affuse.evaluation.agreement_scores import Unit, compared
from affuse.evaluation.coders import (
    Coder,
    chosen,
    in_frames,
    one_language,
    read_coder,
    tiers_of,
)
from affuse.interchange.segments import EMOTION, NOT_SURE, Segment


def agreement(
    words: Sequence[Path],
    tiers: Sequence[str] = (),
    meant: Mapping[str, str] | None = None,
    step: float = 0.1,
) -> dict[str, Any]:
    """Compare coders.

    Recordings are matched by the names of their files, unless every coder has one alone. People
    are matched by name, unless every coder has one alone in a recording. A frame counts where both
    coders of a pair, or two of all, give it one label; where one gives none, is not sure or gives
    several it is left out and counted.

    Args:
        words: Files, folder or pattern of each of two coders or more (`read_coder`).
        tiers: Name of the tier that is compared, of each coder or of all; by default every signal
            that all of them have.
        meant: Label -> what it counts as.
        step: Seconds from frame to frame.

    Returns:
        JSON values; see docs/reference/interchange.md.

    Raises:
        BadInput: A file cannot be read.
        AffuseError: There is nothing that all coders label.
    """
    coders = [read_coder(word) for word in words]
    if tiers:
        each = [*tiers] * (len(coders) if len(tiers) == 1 else 1)
        if len(each) != len(coders):
            raise AffuseError(f"{len(tiers)} tiers are named for {len(coders)} coders")
        name = EMOTION if len({*each}) > 1 else each[0]
        coders = [chosen(c, tier, name) for c, tier in zip(coders, each, strict=True)]
    recordings, apart = _recordings(coders)
    spoken, counted_as = one_language(coders, dict(meant or {}))
    signals = {}
    for signal in _signals(spoken):
        units, missing = _units(spoken, signal, recordings, step)
        if units:
            signals[signal] = compared(units, [coder.name for coder in coders])
        apart += missing
    if not signals:
        told = "; ".join(f"{coder.name} has {tiers_of(coder)}" for coder in coders)
        raise AffuseError(f"no tier is labelled by all; name one of each with --tier: {told}")
    return {
        "coders": [coder.name for coder in coders],
        "step": step,
        "recordings": [" = ".join(dict.fromkeys(names)) for names in recordings],
        "left_out": apart,
        "counted_as": counted_as,
        "signals": signals,
    }


def _recordings(coders: Sequence[Coder]) -> tuple[list[tuple[str, ...]], list[str]]:
    """The name of each recording with each coder, and what only some of them have."""
    if all(len(coder.recordings) == 1 for coder in coders):
        names = tuple(next(iter(coder.recordings)) for coder in coders)
        return [names], []
    shared = [name for name in coders[0].recordings if all(name in c.recordings for c in coders)]
    apart = [
        f"{name}: only {coder.name} has it"
        for coder in coders
        for name in coder.recordings
        if name not in shared
    ]
    if not shared:
        raise AffuseError(f"no recording is labelled by all; {'; '.join(apart[:4])}")
    return [(name,) * len(coders) for name in shared], apart


def _signals(coders: Sequence[Coder]) -> list[str]:
    """Those that all coders have."""
    own = [
        dict.fromkeys(s.signal for c in coder.recordings.values() for s in c.segments)
        for coder in coders
    ]
    return [signal for signal in own[0] if all(signal in other for other in own)]


def _units(
    coders: Sequence[Coder], signal: str, recordings: Sequence[tuple[str, ...]], step: float
) -> tuple[list[Unit], list[str]]:
    """The people whom all coders label, and those whom only some do."""
    found: list[tuple[str, float, list[list[Segment]]]] = []
    missing = []
    for names in recordings:
        codings = [c.recordings[name] for c, name in zip(coders, names, strict=True)]
        own = [[s for s in coding.segments if s.signal == signal and s.label] for coding in codings]
        people = [dict.fromkeys(s.person for s in segments) for segments in own]
        duration = max(coding.duration for coding in codings)
        if all(len(there) == 1 for there in people):
            found.append((names[0], duration, own))
            continue
        for person in dict.fromkeys(name for there in people for name in there):
            if all(person in there for there in people):
                part = [[s for s in segments if s.person == person] for segments in own]
                found.append((names[0], duration, part))
            else:
                by = [c.name for c, there in zip(coders, people, strict=True) if person in there]
                missing.append(
                    f"{names[0]}: {signal} of {person or 'nobody named'} only by {by[0]}"
                )
    classes = sorted({s.label for _, _, own in found for part in own for s in part} - NOT_SURE)
    return [
        Unit(
            name,
            own,
            np.stack([in_frames(part, classes, _times(duration, step)) for part in own], 1),
        )
        for name, duration, own in found
    ], missing


def _times(duration: float, step: float) -> np.ndarray:
    """The middle of each frame, in seconds; those beyond the end are none."""
    return (np.arange(max(1, math.ceil(duration / step - 0.5 - 1e-9))) + 0.5) * step
