"""What the rows of a protocol file stand for, and which row a clip belongs to.

A protocol names clips, or whole speakers, sessions or sets of the publisher, or blocks of a list
of clips; the last for corpora whose list of clips may not be published here.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from operator import attrgetter

from affuse.corpora.clip import Clip
from affuse.corpora.protocols.blocks import list_blocks
from affuse.execution.text import clean, identity

Keys = Callable[[Sequence[Clip]], list[str]]


def _field(name: str) -> Keys:
    get = attrgetter(name)
    return lambda clips: [get(clip) or "" for clip in clips]


def list_order(clips: Sequence[Clip]) -> list[Clip]:
    """Clips in the order of the published list: by name and `.txt`."""
    return sorted(clips, key=lambda clip: f"{clip.id}.txt")


def _blocks(clips: Sequence[Clip]) -> list[str]:
    """Block 0 to 5 of each clip, or `test`."""
    order = list_order(clips)
    sets = [[c.id for c in order if c.partition == name] for name in ("train", "validation")]
    blocks = list_blocks(*sets)
    return [str(blocks[clip.id]) if clip.id in blocks else "test" for clip in clips]


def _group_blocks(clips: Sequence[Clip]) -> list[str]:
    """Blocks as above, with all clips of a group in the block where most of them lie.

    Of blocks with equally many, the first.
    """
    blocks, groups = _blocks(clips), group_clips(clips)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for block, group in zip(blocks, groups, strict=True):
        if block != "test":
            found[group][block] += 1
    home = {g: min(n, key=lambda block: (-n[block], block)) for g, n in found.items()}
    return [home.get(group, "test") for group in groups]


def group_clips(clips: Sequence[Clip]) -> list[str]:
    """The group of each clip: clips that share a speaker, a session or a recording, directly or
    through others, have one name (the id of the first of them); others have their own.
    """
    parent = list(range(len(clips)))

    def root(k: int) -> int:
        while parent[k] != k:
            parent[k] = parent[parent[k]]
            k = parent[k]
        return k

    first: dict[tuple[str, str], int] = {}
    for k, clip in enumerate(clips):
        for name in ("speaker", "session", "recording"):
            value = getattr(clip, name)
            if value is not None:
                same = first.setdefault((name, identity(value)), k)
                one, other = root(same), root(k)
                parent[max(one, other)] = min(one, other)
    return [clips[root(k)].id for k in range(len(clips))]


def _tenths(clips: Sequence[Clip]) -> list[str]:
    """One of ten parts of each clip; where the publisher has sets, the set, and a part of `train`.

    Clips that share a group are in the same part, told by the SHA-256 of `tenth/<group>`.
    """

    def part(group: str) -> int:
        return int.from_bytes(hashlib.sha256(f"tenth/{group}".encode()).digest(), "big") % 10

    pairs = zip(clips, group_clips(clips), strict=True)
    return [
        f"{clip.partition or 'all'}-{part(group)}"
        if clip.partition in (None, "train")
        else clip.partition
        for clip, group in pairs
    ]


def meant(key: str, row: str) -> str:
    """What two spellings of a row have in common: of clips what is seen, of people who is meant."""
    return clean(row) if key == "clip" else identity(row)


#: Name of the first column of a protocol file -> the row of each clip.
KEYS: dict[str, Keys] = {
    "clip": _field("id"),
    "speaker": _field("speaker"),
    "session": _field("session"),
    "partition": _field("partition"),
    "tenth": _tenths,
    "list-block": _blocks,
    "group-block": _group_blocks,
}
