"""Which clips of a store are the same recording, by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from affuse.audit.duplicates import (
    SOUND_THRESHOLD,
    VIDEO_THRESHOLD,
    exact_duplicates,
    near_duplicates,
)
from affuse.audit.leaks import Pair
from affuse.corpora.clip import Clip
from affuse.features.store import Store
from affuse.features.stream_file import StreamFile

#: Kind of leak -> the stream that tells it, and the similarity from which clips are the same.
_NEAR = {
    "near-audio": ("audio/fingerprint", SOUND_THRESHOLD),
    "near-video": ("video/fingerprint", VIDEO_THRESHOLD),
}
_HASHES = "content/sha256"
#: Different frames that a stream must have before equal values mean the same recording.
_FRAMES = 8


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Args:
        pairs: Kind of leak and the two clips; of n equal clips the first with each of the others.
        not_checked: Kinds that could not be looked for, because the store lacks their stream.
    """

    pairs: list[Pair] = field(default_factory=list)
    not_checked: list[str] = field(default_factory=list)


def store_duplicates(data: Store, clips: Sequence[Clip], streams: Collection[str]) -> Duplicates:
    """Find clips that hold the same recording.

    Args:
        data: The store, with the fingerprints that `prepare` makes.
        clips: The clips that are compared.
        streams: The streams that are used; equal values in one of them count too.
    """
    found = Duplicates()
    ids = [clip.id for clip in clips]
    if data.has(_HASHES):
        file = data.stream(_HASHES)
        groups = exact_duplicates({clip: file[clip].values[0] for clip in _present(file, ids)})
        found.pairs.extend(_chain("same-file", groups))
    else:
        found.not_checked.append("same-file")
    for name in streams:
        found.pairs.extend(_chain("same-features", _equal(data.stream(name), ids)))
    for kind, (name, threshold) in _NEAR.items():
        if not data.has(name):
            found.not_checked.append(kind)
            continue
        file = data.stream(name)
        prints = {clip: file[clip].values for clip in _present(file, ids)}
        near = near_duplicates(prints, file.spec.rate, threshold)
        found.pairs.extend((kind, one, other) for one, other, _ in near)
    return found


def _present(file: StreamFile, ids: Sequence[str]) -> list[str]:
    return [clip for clip in ids if clip in file and file.outline(clip).mask.any()]


def _chain(kind: str, groups: Sequence[Sequence[str]]) -> list[Pair]:
    return [(kind, group[0], other) for group in groups for other in group[1:]]


def _equal(file: StreamFile, ids: Sequence[str]) -> list[list[str]]:
    """Groups of clips of equal values; images, rows per clip, few different frames do not count."""
    groups: dict[bytes, list[str]] = {}
    if not file.spec.rate or file.spec.is_picture:
        return []
    for clip in _present(file, ids):
        values = np.ascontiguousarray(file[clip].values)
        digest = hashlib.blake2b(values.data, digest_size=16).digest()
        groups.setdefault(digest, []).append(clip)
    equal = [group for group in groups.values() if len(group) > 1]
    return [group for group in equal if len(np.unique(file[group[0]].values, axis=0)) >= _FRAMES]
