"""What split files of others hold, and what is wrong with them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from affuse.audit.leaks import Leak, Pair, find_leaks
from affuse.audit.store_duplicates import store_duplicates
from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.protocols.flaws import role_flaws
from affuse.corpora.protocols.protocol import ROLES
from affuse.corpora.registry import corpus_module
from affuse.corpora.splits.formats import FORMATS
from affuse.corpora.splits.split import Entry, Split, read_split, split_protocol
from affuse.errors import BadInput
from affuse.features.store import Store
from affuse.media.probe import probe

#: Seconds by which a length in a split file may differ from that of the recording.
_TOLERANCE = 0.5


def examine_split(
    path: Path, corpus: Corpus | None = None, data: Store | None = None
) -> dict[str, Any]:
    """Split files of others, and their leaks in all folds, as JSON values.

    Args:
        path: A file or a folder of them.
        corpus: The corpus at hand: missing clips and lengths are told too.
        data: A store, whose recordings are compared.

    Raises:
        BadInput: The files cannot be read.
    """
    at_hand = [*(corpus.clips if corpus else data.clips if data else ())]
    split = read_split(path, corpus.name if corpus else data.corpus if data else "", at_hand)
    protocol = split_protocol(split, at_hand)
    pairs: list[Pair] = []
    not_looked_for = ["same-file", "same-features", "near-audio", "near-video"]
    if data is not None:
        same = store_duplicates(data, at_hand, [])
        pairs, not_looked_for = [*same.pairs], [*same.not_checked, "same-features"]
    seconds = _lengths(split, corpus)
    union = [*({clip.id: clip for clip in at_hand} | split.clips()).values()]
    leaks: list[Leak] = []
    folds, notes = [], [*role_flaws(protocol.folds), *_names(split)]
    for number, (name, entries) in enumerate(split.folds.items()):
        leaks += find_leaks(protocol, number, union, pairs)
        here = {clip.id for clip in at_hand}
        if absent := list(dict.fromkeys(e.clip.id for e in entries if e.clip.id not in here)):
            example = f"the corpus at hand lacks clip {absent[0]}"
            leaks += [Leak("missing", number, len(absent), example)] if at_hand else []
        facts = {"fold": number, "name": name, **_fold(split, entries, seconds)}
        facts["unlisted"] = _unlisted(split, entries, at_hand)
        folds.append(facts)
    return {
        "split": str(path),
        "formats": [FORMATS[kind] for kind in split.kinds],
        "corpus": split.corpus,
        "sha256": split.sha256,
        "files": len(split.files),
        "left_out": [str(file) for file in split.left_out],
        "clips": len(split.clips()),
        "folds": folds,
        "not_looked_for": not_looked_for,
        "leaks": [asdict(leak) for leak in leaks],
        "notes": [*notes, *_contradictions(split, seconds)],
    }


def _fold(split: Split, entries: Sequence[Entry], seconds: Mapping[str, float]) -> dict[str, Any]:
    """Who and what is in each role of a fold, and what two roles share."""
    members = {role: _clips(entries, role) for role in ROLES}
    listed = Counter((entry.role, entry.clip.id) for entry in entries)
    same = Counter((entry.role, entry.row.names) for entry in entries)
    repeated = sum(count - 1 for count in same.values())
    said = _sentences(split, members)
    shared = {}
    for one, other in combinations(ROLES, 2):
        if common := members[one].keys() & members[other].keys():
            smaller = min(len(members[one]), len(members[other]))
            shared[f"{one}+{other}"] = {"clips": len(common), "of": smaller}
    return {
        "roles": {role: _role(clips, entries, role, seconds) for role, clips in members.items()},
        "clips_in_two_roles": shared,
        "repeated_lines": repeated,
        "further_files": sum(count - 1 for count in listed.values()) - repeated,
        "sentences_in_two_roles": sum(len(roles) > 1 for roles in said.values()),
        "sentences": len(said),
    }


def _clips(entries: Sequence[Entry], role: str) -> dict[str, Entry]:
    """Clip -> its first line in a role."""
    return {e.clip.id: e for e in reversed(entries) if e.role == role}


def _role(
    clips: Mapping[str, Entry], entries: Sequence[Entry], role: str, seconds: Mapping[str, float]
) -> dict[str, Any]:
    words = Counter(e.clip.label or e.row.label or "none" for e in clips.values())
    speakers = {e.clip.speaker or e.row.speaker for e in clips.values()} - {""}
    known = [seconds[clip] for clip in clips if clip in seconds]
    return {
        "lines": sum(entry.role == role for entry in entries),
        "clips": len(clips),
        "speakers": sorted(speakers),
        "classes": dict(sorted(words.items())),
        "seconds": round(sum(known), 2) if clips and len(known) == len(clips) else None,
    }


def _sentences(split: Split, members: Mapping[str, Mapping[str, Entry]]) -> dict[str, set[str]]:
    """Sentence -> roles, where names of clips tell what is said."""
    tell: Callable[[str], str] | None = _hook(split.corpus, "sentence_of")
    said: dict[str, set[str]] = defaultdict(set)
    for role, clips in members.items():
        for clip, entry in clips.items():
            if tell and entry.known:
                said[tell(clip)].add(role)
    return said


def _hook(corpus: str, name: str) -> Any:
    return getattr(corpus_module(corpus), name, None) if corpus else None


def _unlisted(split: Split, entries: Sequence[Entry], at_hand: Sequence[Clip]) -> list[str]:
    """Clips of the corpus, at hand or as published, that a fold does not list."""
    names = _hook(split.corpus, "clip_names")
    everything = [clip.id for clip in at_hand] or (names() if names else [])
    listed = {entry.clip.id for entry in entries}
    return [clip for clip in everything if clip not in listed]


def _names(split: Split) -> list[str]:
    """Names that are not of the corpus."""
    foreign = list(dict.fromkeys(e.clip.id for x in split.folds.values() for e in x if not e.known))
    if not split.corpus or not foreign:
        return []
    return [f"{len(foreign)} names are of no {split.corpus} clip, such as {foreign[0]}"]


def _lengths(split: Split, corpus: Corpus | None) -> dict[str, float]:
    """Clip -> seconds, of the recording at hand, else as the file says."""
    told = {e.clip.id: e.row.seconds for x in split.folds.values() for e in x if e.row.seconds}
    measured = {}
    for clip in corpus.clips if corpus else ():
        file = clip.audio or clip.video
        if file and clip.id in split.clips():
            try:
                end = clip.end if clip.end is not None else probe(file).duration
            except BadInput:  # affuse check CORPUS ROOT says why
                continue
            measured[clip.id] = end - clip.start
    return told | measured


def _contradictions(split: Split, seconds: Mapping[str, float]) -> list[str]:
    """Lengths in the files that are not those of the recordings."""
    wrong = {
        e.clip.id: f"{e.path.name} line {e.row.line} says {e.row.seconds:.2f} s of {e.clip.id}, "
        f"the recording has {seconds[e.clip.id]:.2f} s"
        for x in split.folds.values()
        for e in x
        if e.row.seconds and abs(e.row.seconds - seconds[e.clip.id]) > _TOLERANCE
    }
    more = f" ({len(wrong)} such clips)" if len(wrong) > 1 else ""
    return [f"{text}{more}" for text in [*wrong.values()][:1]]
