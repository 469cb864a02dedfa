"""The check of a split before it is trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

from affuse.corpora.clip import Clip
from affuse.corpora.leaks import KINDS, Leak, check_allowed, find_leaks
from affuse.corpora.protocols.protocol import Protocol
from affuse.errors import AffuseError
from affuse.features.same import same_recordings
from affuse.features.store import Store


def check_split(
    protocol: Protocol,
    folds: Sequence[int],
    clips: Sequence[Clip],
    data: Store,
    streams: Sequence[str],
    allow: Collection[str] = (),
) -> dict[str, Any]:
    """Refuse a split that leaks.

    Args:
        protocol: The roles.
        folds: The folds that would be trained.
        clips: The clips that would be used.
        data: The store, which holds the fingerprints of all recordings.
        streams: The streams that would be used.
        allow: Kinds of leaks that are let pass.

    Returns:
        What a run writes down: what was looked for, what was found and let pass.

    Raises:
        AffuseError: A leak of another kind, or no such kind.
    """
    check_allowed(allow)
    same = same_recordings(data, clips, streams)
    leaks = [
        leak for fold in folds for leak in find_leaks(protocol, fold, clips, same.pairs, data.clips)
    ]
    if bad := [leak for leak in leaks if leak.kind not in allow]:
        raise AffuseError(f"protocol {protocol.name}, {_refusal(bad)}")
    found = Counter(dict.fromkeys(allow, 0))
    for leak in leaks:
        found[leak.kind] += leak.count
    return {
        "looked_for": [kind for kind in KINDS if kind not in same.not_checked],
        "not_checked": same.not_checked,
        "let_pass": dict(found),
        "examples": list(dict.fromkeys(str(leak) for leak in leaks))[:20],
    }


def _refusal(leaks: Sequence[Leak]) -> str:
    """One line: the first leak, what else there is, and how to go on."""
    kinds = list(dict.fromkeys(leak.kind for leak in leaks))
    others = f"; also {', '.join(kinds[1:])}" if len(kinds) > 1 else ""
    return f"{leaks[0]}{others} (--allow {','.join(kinds)} trains all the same and writes it down)"
