"""Protocols that users make."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from affuse.corpora.clip import Clip, Corpus
from affuse.corpora.listing import Listing
from affuse.corpora.names import find_clip
from affuse.corpora.protocols.blocks import TRAIN_BLOCKS, list_blocks
from affuse.corpora.protocols.flaws import role_flaws, speaker_flaws
from affuse.corpora.protocols.keys import group_clips
from affuse.corpora.protocols.made import rotate
from affuse.corpora.protocols.protocol import ROLES, UNUSED, Protocol, Roles
from affuse.corpora.tree import is_aside
from affuse.errors import AffuseError, BadInput
from affuse.execution.text import clean
from affuse.execution.text_files import read_lines
from affuse.suggestions import unknown


def make_protocol(
    corpus: Corpus, name: str, folds: int, development: int = 1, seed: int = 0
) -> Protocol:
    """Folds of about equal size and mix of classes, in which people stay together.

    Clips that share a speaker, a session or a recording are one group. Groups, the largest first
    and equal ones in an order that the seed draws, go to the part that they leave most even in the
    number of clips of each class. Each part is tested once; the next ones are the development set.

    Args:
        corpus: The clips.
        name: What the protocol is called.
        folds: Number of parts.
        development: How many parts are the development set; 0 for none.
        seed: Of the order.

    Raises:
        AffuseError: There are fewer groups than folds, no part is left to train on, or nobody
            knows who speaks in a clip.
    """
    if folds < development + 2:
        raise AffuseError(
            f"{folds} folds are too few for one test part, {development} development parts and "
            "something to train on"
        )
    if unnamed := [c.id for c in corpus.clips if not (c.speaker or c.session or c.recording)]:
        raise AffuseError(
            f"nobody knows who speaks in clip {unnamed[0]} (and {len(unnamed) - 1} more); folds "
            "have to keep people apart, so name them in the column speaker"
        )
    members: dict[str, list[Clip]] = defaultdict(list)
    for clip, group in zip(corpus.clips, group_clips(corpus.clips), strict=True):
        members[group].append(clip)
    if len(members) < folds:
        raise AffuseError(
            f"{corpus.name} has {len(members)} groups of people and recordings that belong "
            f"together; that is too few for {folds} folds"
        )
    parts = _even_parts(members, folds, seed)
    ids = [clip.id for clip in corpus.clips]
    return Protocol(
        name=name,
        version=1,
        corpus=corpus.name,
        source=f"affuse protocol: {folds} folds of whole groups (speaker, session, recording), "
        f"{development} of them development, even in classes, seed {seed}.",
        flaws="" if development else "No development clips: select nothing on the test clips.",
        folds=rotate(ids, development, parts),
        speakers={clip.id: clip.speaker or "" for clip in corpus.clips},
    )


def _even_parts(members: Mapping[str, list[Clip]], folds: int, seed: int) -> list[list[str]]:
    """Clip ids of each part."""

    def draw(group: str) -> str:
        return hashlib.sha256(f"{seed}/{group}".encode()).hexdigest()

    labels = sorted({clip.label or "" for clips in members.values() for clip in clips})
    totals = np.zeros((folds, len(labels)))
    parts: list[list[str]] = [[] for _ in range(folds)]
    for group in sorted(members, key=lambda g: (-len(members[g]), draw(g))):
        count = Counter(clip.label or "" for clip in members[group])
        added = np.array([count[label] for label in labels], float)
        cost = ((totals + added) ** 2 - totals**2).sum(1)
        # equal costs: the part with the fewest clips, then the first
        best = min(range(folds), key=lambda k: (cost[k], totals[k].sum(), k))
        totals[best] += added
        parts[best] += [clip.id for clip in members[group]]
    return parts


def protocol_of_lists(corpus: Corpus, name: str, lists: Mapping[str, Path]) -> Protocol:
    """One fold from lists of the clips of each role.

    Args:
        corpus: The clips.
        name: What the protocol is called.
        lists: Role -> file with one id, or name of a file of the clip, per line; or a folder whose
            `.txt` files are called like the clips. A clip in several has several roles, which the
            check for leaks tells; one that is not at hand is missing.

    Raises:
        AffuseError: No such role.
        BadInput: A file cannot be read, or names a clip that the corpus does not have.
    """
    known = {clip.id: clip for clip in corpus.clips}
    clips: dict[str, Clip] = {}
    roles: dict[str, Roles] = {}
    for role, path in lists.items():
        if role not in ROLES:
            raise unknown("role", role, ROLES)
        for line, word in _lines(path):
            clip = find_clip(corpus.name, word, known)
            if clip is None:
                raise BadInput(path, f"line {line}: {corpus.name} has no clip {word!r}")
            clips[clip.id] = clip
            roles[clip.id] = (*(r for r in roles.get(clip.id, ()) if r != role), role)
    return Protocol(
        name=name,
        version=1,
        corpus=corpus.name,
        source="affuse protocol, from " + ", ".join(f"{r}={p.name}" for r, p in lists.items()),
        flaws="",
        folds=[roles],
        speakers={name: clip.speaker or "" for name, clip in clips.items()},
    )


def protocol_of_files(corpus: Corpus, name: str, listings: Sequence[Listing]) -> Protocol:
    """The folds of published label and partition files.

    Args:
        corpus: The clips.
        name: What the protocol is called.
        listings: One per file (`read_listing`). A clip at hand that a fold does not list is
            `unused` in it.

    Raises:
        BadInput: A file has no sets, or two files are the same.
    """
    first: dict[str, Listing] = {}
    for listing in listings:
        if not listing.folds:
            raise BadInput(
                listing.path, "has no sets (Train, Development, Test) in its last column"
            )
        if (before := first.setdefault(listing.sha256, listing)) is not listing:
            raise BadInput(listing.path, f"is the same file as {before.path}")
    clips = {i: clip for listing in listings for i, clip in listing.clips.items()}
    clips |= {clip.id: clip for clip in corpus.clips}
    folds: list[dict[str, Roles]] = [
        {i: (fold.get(i, UNUSED),) for i in clips} for listing in listings for fold in listing.folds
    ]
    notes = [f"{listing.path.name}: {note}" for listing in listings for note in listing.notes]
    speakers = {i: clip.speaker or "" for i, clip in clips.items()}
    flaws = [*notes, *speaker_flaws(folds, speakers), *role_flaws(folds)]
    files = [f"{x.path.name} ({x.kind}, SHA-256 {x.sha256})" for x in listings]
    return Protocol(
        name=name,
        version=1,
        corpus=corpus.name,
        source=f"affuse protocol, from {', '.join(files)}.",
        flaws="".join(f"{flaw[0].upper()}{flaw[1:]}. " for flaw in flaws).rstrip(),
        folds=folds,
        speakers=speakers,
    )


def protocol_of_blocks(corpus: Corpus, name: str) -> Protocol:
    """The six folds of the published leader-follower system, in the order of the corpus.

    Args:
        corpus: Clips of the publisher's training, validation and test set. The training clips, in
            the order in which the corpus lists them, are cut into five blocks.
        name: What the protocol is called.

    Raises:
        AffuseError: There are fewer than five training clips, or no validation clip.
    """
    sets = {
        part: [clip.id for clip in corpus.clips if clip.partition == part]
        for part in ("train", "validation", "test")
    }
    if len(sets["train"]) < TRAIN_BLOCKS or not sets["validation"]:
        counts = f"{len(sets['train'])} training and {len(sets['validation'])} validation clips"
        raise AffuseError(f"{corpus.name} has {counts}; six blocks need five and one at least")
    blocks = list_blocks(sets["train"], sets["validation"])
    tested: dict[str, Roles] = dict.fromkeys(sets["test"], ("test",))
    return Protocol(
        name=name,
        version=1,
        corpus=corpus.name,
        source="affuse protocol --blocks: the training clips in the order of the corpus cut into "
        "five blocks, the validation clips as the sixth; fold f validates on block 5 - f.",
        flaws="Blocks cut through recordings. The validation block selects and judges.",
        folds=[
            {c: ("development" if k == TRAIN_BLOCKS - f else "train",) for c, k in blocks.items()}
            | tested
            for f in range(TRAIN_BLOCKS + 1)
        ],
        speakers={clip.id: clip.speaker or "" for clip in corpus.clips},
    )


def _lines(path: Path) -> Sequence[tuple[int, str]]:
    if path.is_dir():
        files = (p for p in path.iterdir() if p.suffix.lower() == ".txt" and not is_aside(p.name))
        return list(enumerate(sorted(clean(p.stem) for p in files), 1))
    if not path.exists():
        raise BadInput(path, "no such file")
    return read_lines(path)
