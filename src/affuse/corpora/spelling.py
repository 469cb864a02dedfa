"""Names that are spelled in several ways and mean one person, sitting, recording or class."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from affuse.corpora.clip import Clip
from affuse.execution.text import clean, identity

#: Fields of a clip that tell who or what must not have two roles.
_PEOPLE = ("speaker", "session", "recording")


def one_spelling(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Clips whose speakers, sessions and recordings are called alike where they are the same.

    Returns:
        The clips, and a line per name that was spelled in several ways. The most frequent spelling
        is taken.
    """
    notes = []
    for field in _PEOPLE:
        names = Counter(name for clip in clips if (name := getattr(clip, field)) is not None)
        chosen, told = _chosen(names, identity, f"{field}s")
        notes += told
        if any(name != other for name, other in chosen.items()):
            clips = [_called(clip, field, chosen) for clip in clips]
    return list(clips), notes


def one_class(clips: Sequence[Clip]) -> tuple[list[Clip], list[str]]:
    """Clips whose classes are called alike where they differ in case only.

    Returns:
        As `one_spelling`.
    """
    names = Counter(clip.label for clip in clips if clip.label is not None)
    for clip in clips:
        names.update(name for votes in (clip.votes or {}).values() for name in votes)
    chosen, notes = _chosen(names, lambda name: clean(name).casefold(), "labels")
    if all(name == other for name, other in chosen.items()):
        return list(clips), notes
    return [with_classes(clip, chosen) for clip in clips], notes


def _called(clip: Clip, field: str, chosen: Mapping[str, str]) -> Clip:
    name = getattr(clip, field)
    values: dict[str, Any] = {} if name is None else {field: chosen[name]}
    return replace(clip, **values)


def with_classes(clip: Clip, chosen: Mapping[str, str]) -> Clip:
    """A clip whose label and votes have other names for classes; those that fall together add up.

    Args:
        clip: The clip.
        chosen: Class -> its new name; others stay.
    """
    votes: dict[str, defaultdict[str, float]] = {}
    for channel, counts in (clip.votes or {}).items():
        votes[channel] = own = defaultdict[str, float](float)
        for name, count in counts.items():
            own[chosen.get(name, name)] += count
    label = None if clip.label is None else chosen.get(clip.label, clip.label)
    return replace(clip, label=label, votes={k: dict(v) for k, v in votes.items()} or clip.votes)


def _chosen(
    names: Counter[str], same: Callable[[str], str], what: str
) -> tuple[dict[str, str], list[str]]:
    """Spelling -> the one that is taken, and a line per name that has several."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[same(name)].append(name)
    chosen: dict[str, str] = {}
    notes = []
    for group in groups.values():
        best = clean(max(group, key=names.__getitem__))
        chosen |= dict.fromkeys(group, best)
        if len(group) > 1:
            notes.append(f"{what} {_spelled(group, names)} are one: {best!r}")
    return chosen, notes


def _spelled(group: Iterable[str], names: Counter[str]) -> str:
    return " and ".join(f"{name!r} ({names[name]} clips)" for name in group)
