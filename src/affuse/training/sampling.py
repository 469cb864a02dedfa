"""How often clips are seen in an epoch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from affuse.corpora.clip import Clip
from affuse.tasks.targets import TrainingTargets

#: What can occur equally often.
Factor = Literal["corpus", "speaker", "class"]


def groups_of(
    clips: Sequence[Clip], learned: TrainingTargets, balance: Sequence[Factor]
) -> dict[str, tuple[str, ...]]:
    """Clip id -> its group by each factor.

    Args:
        clips: The clips.
        learned: Their classes.
        balance: The factors; clips without a corpus or speaker are one group.
    """
    of: Mapping[Factor, Callable[[Clip], str]] = {
        "corpus": lambda clip: clip.corpus or "",
        "speaker": lambda clip: clip.speaker or "",
        "class": lambda clip: learned.class_of(clip.id),
    }
    return {clip.id: tuple(of[factor](clip) for factor in balance) for clip in clips}


def balanced_order(groups: Sequence[tuple[str, ...]], random: np.random.Generator) -> list[int]:
    """As many rows as there are, drawn so that groups are equally frequent.

    The groups of the first factor share the rows evenly, in each of these those of the second, and
    so on; at the end each row of a group occurs equally often. What does not divide evenly goes to
    groups, and to rows, that are drawn.

    Args:
        groups: Of each row.
        random: Draws.
    """
    drawn = _draw(np.arange(len(groups)), groups, 0, len(groups), random)
    return [int(row) for row in random.permutation(drawn)]


def _draw(
    rows: np.ndarray,
    groups: Sequence[tuple[str, ...]],
    level: int,
    count: int,
    random: np.random.Generator,
) -> np.ndarray:
    if level == len(groups[rows[0]]):
        times, rest = divmod(count, len(rows))
        return np.concatenate([np.repeat(rows, times), random.permutation(rows)[:rest]])
    parts: dict[str, list[int]] = defaultdict(list)
    for row in rows.tolist():
        parts[groups[row][level]].append(row)
    share, rest = divmod(count, len(parts))
    more = {*random.permutation(len(parts))[:rest].tolist()}
    return np.concatenate(
        [
            _draw(np.array(parts[name]), groups, level + 1, share + (k in more), random)
            for k, name in enumerate(sorted(parts))
        ]
    )
