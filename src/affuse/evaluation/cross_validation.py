"""Folds of speakers, to judge what is fitted beside a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affuse.features.store import Store

FOLDS = 5


def speakers_of(data: Store, ids: Sequence[str]) -> list[str]:
    """Who speaks in each of some clips; of one that names nobody, the clip itself."""
    named = {clip.id: clip.speaker for clip in data.clips}
    return [named[clip] or clip for clip in ids]


def speaker_folds(speakers: Sequence[str]) -> np.ndarray:
    """(N,) the fold of each clip, drawn with a fixed seed; all of a speaker are in one."""
    names = sorted(set(speakers))
    order = np.random.default_rng(0).permutation(len(names))
    home = {names[k]: row % FOLDS for row, k in enumerate(order)}
    return np.array([home[speaker] for speaker in speakers])
