"""What clips are called where several corpora are one.

Clips, speakers, sessions and recordings are `<corpus>/<name>`, so that nobody of one corpus is
taken for somebody of another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from affuse.corpora.clip import Clip

#: Between the names of corpora, or of their protocols, that are one.
TOGETHER = "+"
_NAMES = ("id", "speaker", "session", "recording")


def same_corpora(one: str, other: str) -> bool:
    """Whether two names of corpora mean the same ones."""
    return {*one.split(TOGETHER)} == {*other.split(TOGETHER)}


def among_others(clip: Clip, corpus: str) -> Clip:
    """A clip of a corpus by its names among those of several."""
    names: dict[str, Any] = {
        field: f"{corpus}/{name}" for field in _NAMES if (name := getattr(clip, field)) is not None
    }
    return replace(clip, corpus=corpus, **names)


def by_itself(clip: Clip) -> Clip:
    """The reverse: a clip by the names that its corpus gives it."""
    if clip.corpus is None:
        return clip
    names: dict[str, Any] = {
        field: name.removeprefix(f"{clip.corpus}/")
        for field in _NAMES
        if (name := getattr(clip, field)) is not None
    }
    return replace(clip, corpus=None, **names)
