"""The check of a split: before it is trained on, and by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from affuse.audit.leaks import KINDS, Leak, check_allowed, find_leaks
from affuse.audit.published_scores import KIND, find_score_leaks, nested_scores
from affuse.audit.store_duplicates import Duplicates, store_duplicates
from affuse.corpora.clip import Clip
from affuse.corpora.protocols.load import load_protocol
from affuse.corpora.protocols.protocol import Protocol
from affuse.errors import AffuseError
from affuse.features.store import Store


def check_split(
    protocol: Protocol,
    folds: Sequence[int],
    clips: Sequence[Clip],
    data: Store,
    streams: Sequence[str],
    allow: Collection[str] = (),
    initial: Sequence[Leak] | None = (),
) -> dict[str, Any]:
    """Refuse a split that leaks.

    Args:
        protocol: The roles.
        folds: The folds that would be trained.
        clips: The clips that would be used.
        data: The store, which holds the fingerprints of all recordings.
        streams: The streams that would be used.
        allow: Kinds of leaks that are let pass.
        initial: Leaks through the weights that training starts from; None where they cannot be
            told.

    Returns:
        What a run writes down: what was looked for, what was found and let pass.

    Raises:
        AffuseError: A leak of another kind, or no such kind.
    """
    check_allowed(allow)
    same = store_duplicates(data, clips, streams)
    leaks = [
        leak for fold in folds for leak in find_leaks(protocol, fold, clips, same.pairs, data.clips)
    ]
    leaks += initial or []
    for fold in folds:
        leaks += find_score_leaks(protocol, fold, clips, data, streams)
    nested = nested_scores(protocol, folds, clips, data, streams)
    not_checked = [*same.not_checked, *(["init"] if initial is None else [])]
    if bad := [leak for leak in leaks if leak.kind not in allow]:
        raise AffuseError(f"protocol {protocol.name}, {_refusal(bad)}")
    found = Counter(dict.fromkeys(allow, 0))
    for leak in leaks:
        found[leak.kind] += leak.count
    return {
        "looked_for": [kind for kind in KINDS if kind not in not_checked],
        "not_checked": not_checked,
        "let_pass": dict(found),
        "examples": list(dict.fromkeys(str(leak) for leak in leaks))[:20],
        **({"nested_scores": nested} if nested else {}),
    }


def with_earlier(before: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """What a run writes down that goes on: what was let pass before, and now.

    Args:
        before: What the run says.
        now: What `check_split` returned.
    """
    counts = [before["let_pass"], now["let_pass"]]
    kinds = dict.fromkeys([*counts[0], *counts[1]])
    return now | {
        "let_pass": {kind: max(count.get(kind, 0) for count in counts) for kind in kinds},
        "examples": list(dict.fromkeys([*before["examples"], *now["examples"]])),
    }


def examine_protocol(
    name: str, clips: Sequence[Clip] | None = None, data: Store | None = None
) -> dict[str, Any]:
    """What a protocol is, and its leaks in all folds, as JSON values.

    Args:
        name: Name or file of the protocol.
        clips: Clips of a corpus.
        data: A store, whose clips are taken and whose recordings are compared. With neither, the
            protocol's own list of clips is looked at.

    Raises:
        BadInput: The protocol cannot be read.
        AffuseError: It lists no clips itself and there are no others.
    """
    content = ["same-file", "same-features", "near-audio", "near-video", KIND]
    same = Duplicates(not_checked=content)
    if data is not None:
        clips = data.clips
        same = store_duplicates(data, clips, [])
        same.not_checked.extend(["same-features", KIND])
    protocol = load_protocol(name, clips or [])
    if clips is None:
        clips = _own_clips(protocol)
    folds = range(len(protocol.folds))
    leaks = [leak for fold in folds for leak in find_leaks(protocol, fold, clips, same.pairs)]
    return {
        "protocol": protocol.name,
        "version": protocol.version,
        "sha256": protocol.sha256,
        "source": protocol.source,
        "known_flaws": protocol.flaws,
        "folds": len(protocol.folds),
        "clips": len(clips),
        "not_looked_for": same.not_checked,
        "leaks": [asdict(leak) for leak in leaks],
    }


def _own_clips(protocol: Protocol) -> list[Clip]:
    """The clips that a protocol itself lists."""
    if protocol.key != "clip":
        raise AffuseError(
            f"protocol {protocol.name} names no clips but each {protocol.key}: name a corpus and "
            "its folder, or --store, to look for leaks"
        )
    return [Clip(clip, speaker=speaker or None) for clip, speaker in protocol.speakers.items()]


def _refusal(leaks: Sequence[Leak]) -> str:
    """One line: the first leak, what else there is, and how to go on."""
    kinds = list(dict.fromkeys(leak.kind for leak in leaks))
    others = f"; also {', '.join(kinds[1:])}" if len(kinds) > 1 else ""
    return f"{leaks[0]}{others} (--allow {','.join(kinds)} trains all the same and writes it down)"
