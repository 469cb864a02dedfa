"""What is wrong with the folds of a protocol of clips, as its file says it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from affuse.corpora.protocols.protocol import ROLES, UNUSED, Roles
from affuse.execution.text import identity


def speaker_flaws(folds: Sequence[Mapping[str, Roles]], speakers: Mapping[str, str]) -> list[str]:
    """Speakers in two roles.

    Args:
        folds: Per fold, clip -> roles.
        speakers: Clip -> speaker; empty where nobody knows.
    """
    flaws = []
    for k, fold in enumerate(folds):
        has: dict[str, set[str]] = defaultdict(set)
        spelled: dict[str, str] = {}
        for clip, roles in fold.items():
            if roles != (UNUSED,) and speakers[clip]:
                one = spelled.setdefault(identity(speakers[clip]), speakers[clip])
                has[one].update(roles)
        if several := [speaker for speaker, found in has.items() if len(found) > 1]:
            flaws.append(f"fold {k}: {len(several)} speakers in two roles, such as {several[0]}")
    return flaws


def role_flaws(folds: Sequence[Mapping[str, Roles]]) -> list[str]:
    """Roles that no clip has, and test sets that overlap without being a cross-validation."""
    flaws = []
    for k, fold in enumerate(folds):
        given = {role for roles in fold.values() for role in roles}
        if lacking := [role for role in ROLES if role not in given]:
            flaws.append(f"fold {k}: no {' and no '.join(lacking)} clips")
    tested = Counter(i for fold in folds for i, roles in fold.items() if "test" in roles)
    used = {i for fold in folds for i, roles in fold.items() if roles != (UNUSED,)}
    twice = sum(count > 1 for count in tested.values())
    if len(folds) > 1 and twice and twice < len(tested):
        flaws.append(
            f"not a cross-validation: {twice} clips are tested in more than one fold, "
            f"{len(used) - len(tested)} of {len(used)} never"
        )
    return flaws
