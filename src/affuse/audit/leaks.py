"""Leaks: what a model would be judged on and has seen, or what makes its score incomparable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.protocol import ROLES, UNUSED, Protocol, Roles
from affuse.errors import AffuseError
from affuse.execution.text import clean, identity
from affuse.suggestions import unknown

#: What is looked for: kind -> what it means.
KINDS: dict[str, str] = {
    "two-roles": "a clip in two roles: development equal to test, or training with test clips",
    "speaker": "a speaker in two roles",
    "session": "a session in two roles",
    "recording": "parts of one recording in two roles",
    "same-file": "copies of one file in two roles",
    "same-features": "clips of equal features in two roles",
    "near-audio": "clips of nearly the same sound in two roles",
    "near-video": "clips of nearly the same images in two roles",
    "unnamed": "a clip whose speaker nobody knows",
    "unknown": "a clip that the protocol does not know",
    "missing": "missing protocol clips",
    "init": "a speaker or clip of another role from which the weights of `init` have learned",
    "published-scores": "scores by a model that was, or may have been, trained on test speakers",
}

#: Kind, and two clips that are the same recording by it.
Pair = tuple[str, str, str]


@dataclass(frozen=True)
class Leak:
    """What is wrong with one fold of a split.

    Args:
        kind: One of `KINDS`.
        fold: Number of the fold.
        count: How many speakers, clips or pairs.
        example: The first of them, as half a sentence.
    """

    kind: str
    fold: int
    count: int
    example: str

    def __str__(self) -> str:
        more = f" ({self.count} such cases)" if self.count > 1 else ""
        return f"fold {self.fold}: {self.example}{more}"


def find_leaks(
    protocol: Protocol,
    fold: int,
    clips: Sequence[Clip],
    pairs: Iterable[Pair] = (),
    listed: Sequence[Clip] | None = None,
) -> list[Leak]:
    """What is wrong with a fold.

    Args:
        protocol: The roles.
        fold: Number of the fold.
        clips: The clips that would be used.
        pairs: Clips that are the same recording, by their content.
        listed: All clips of the corpus at hand, those that cannot be used as well; `clips` by
            default.

    Returns:
        One entry per kind, in the order of `KINDS`; empty when nothing is wrong.

    Raises:
        AffuseError: The corpus and the protocol name different speakers for a clip.
    """
    everything = clips if listed is None else listed
    by_id = dict(zip([c.id for c in everything], protocol.roles(fold, everything), strict=True))
    clips = [clip for clip in clips if by_id[clip.id] != (UNUSED,)]
    roles = {clip.id: by_id[clip.id] for clip in clips}
    speakers = {clip.id: _speaker(protocol, clip) for clip in clips}
    groups: dict[str, dict[str, str | None]] = {
        "speaker": speakers,
        "session": {clip.id: clip.session for clip in clips},
        "recording": {clip.id: clip.recording for clip in clips},
    }
    found: dict[str, list[str]] = {"two-roles": _two_roles(roles)}
    for kind, names in groups.items():
        found[kind] = _shared(kind, names, roles)
    for kind, one, other in pairs:
        if one in roles and other in roles and (two := _differ(roles[one], roles[other])):
            found.setdefault(kind, []).append(
                f"{_SAME[kind]} {one} in {two[0]} and {other} in {two[1]}"
            )
    found["unnamed"] = [
        f"nobody knows who speaks in clip {clip}; a split has to keep speakers apart, so name them "
        "in the column speaker"
        for clip, speaker in speakers.items()
        if roles[clip] and not speaker
    ]
    found["unknown"] = [
        f"the protocol does not know clip {clip}" for clip, has in roles.items() if not has
    ]
    found["missing"] = [
        f"{protocol.key} {row} of the protocol is missing" for row in protocol.missing(everything)
    ]
    return [Leak(k, fold, len(found[k]), found[k][0]) for k in KINDS if found.get(k)]


_SAME = {
    "same-file": "one file is clip",
    "same-features": "equal features have clip",
    "near-audio": "nearly the same sound have clip",
    "near-video": "nearly the same images have clip",
}


def _two_roles(roles: dict[str, Roles]) -> list[str]:
    """Clips with several roles; development equal to test is said first."""
    several = [
        f"clip {clip} is in {' and in '.join(has)}" for clip, has in roles.items() if len(has) > 1
    ]
    members = {role: {clip for clip, has in roles.items() if role in has} for role in ROLES}
    if members["test"] and members["test"] == members["development"]:
        several[0] = f"the development clips are the test clips, {several[0].removeprefix('clip ')}"
    return several


def _shared(kind: str, names: dict[str, str | None], roles: dict[str, Roles]) -> list[str]:
    """Speakers, sessions or recordings that are in two roles."""
    seen: dict[str, set[str]] = defaultdict(set)
    spellings: dict[str, list[str]] = defaultdict(list)
    for clip, name in names.items():
        if name is not None:
            seen[identity(name)].update(roles[clip])
            spellings[identity(name)].append(name)
    return [
        f"{kind} {_spelled(spellings[one])} is in "
        f"{' and in '.join(role for role in ROLES if role in has)}"
        for one, has in seen.items()
        if len(has) > 1
    ]


def _spelled(names: Sequence[str]) -> str:
    """A name, and how else it is written."""
    first, *others = dict.fromkeys(names)
    return first if not others else f"{first!r} ({', '.join(map(repr, others))})"


def _differ(one: Roles, other: Roles) -> tuple[str, str] | None:
    """A role of one clip and another role of another, where there are such."""
    return next(((a, b) for a in one for b in other if a != b), None)


def _speaker(protocol: Protocol, clip: Clip) -> str | None:
    """Who speaks, as the corpus and the protocol say."""
    named = protocol.speakers.get(clip.id) or protocol.speakers.get(clean(clip.id))
    if clip.speaker and named and identity(clip.speaker) != identity(named):
        raise AffuseError(
            f"protocol {protocol.name}: clip {clip.id} is spoken by {named}, "
            f"but by {clip.speaker} in the corpus"
        )
    return clip.speaker or named or None


def split_clips(
    protocol: Protocol, fold: int, clips: Sequence[Clip], listed: Sequence[Clip]
) -> dict[str, list[Clip]]:
    """The clips of each role; a clip that the protocol does not know is in none.

    Args:
        protocol: The roles.
        fold: Number of the fold.
        clips: The clips to use.
        listed: All clips of the corpus at hand.

    Raises:
        AffuseError: There is no training clip.
    """
    roles = dict(zip([c.id for c in listed], protocol.roles(fold, listed), strict=True))
    split = {role: [clip for clip in clips if role in roles[clip.id]] for role in ROLES}
    if not split["train"]:
        raise AffuseError(f"protocol {protocol.name}, fold {fold}: every training clip is missing")
    return split


def check_allowed(kinds: Collection[str]) -> None:
    """Refuse kinds that do not exist; `AffuseError`."""
    if wrong := [kind for kind in kinds if kind not in KINDS]:
        raise unknown("leak", wrong[0], KINDS, "affuse list leaks")
