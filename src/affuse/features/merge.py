"""Shards that were prepared on several disks, as the store that one machine writes."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from affuse.errors import AffuseError, BadInput
from affuse.execution.files import atomic_path, locked, sweep, write_csv
from affuse.execution.progress import progress
from affuse.execution.sharing import Share
from affuse.features.consolidate import Entry, part_entry, write_stream
from affuse.features.extractor import check_same_stream
from affuse.features.parts import part_path
from affuse.features.shards import Row, Shard, ShardStream, read_shards
from affuse.features.store import Store, network_path, read_failures, stream_path
from affuse.features.stream import StreamSpec

#: What tells a store apart from another one.
_INDEX = ("clips.csv", "store.json")


@dataclass(frozen=True)
class Merged:
    """What `merge` did.

    Args:
        clips: Number of clips of the corpus.
        streams: Stream -> clips that lack its modality.
        failures: (clip id, stream, reason) of what failed in the shards.
    """

    clips: int
    streams: dict[str, int]
    failures: list[Row]


def merge(folders: Sequence[Path], store: Path) -> Merged:
    """Make one store of finished shards; after an interrupt the same call does it again.

    The shards stay as they are. The store has the bytes of one that was prepared on one machine
    from the same files.

    Args:
        folders: Where `prepare --shard` wrote, one shard in each, or several.
        store: Folder of the store, made when absent.

    Raises:
        BadInput: A folder holds no finished shard, one of another corpus, of other clips, changes
            or streams, one that is there twice, or damaged or missing parts; or the store is
            another one.
        AffuseError: A shard is missing.
    """
    store = Path(store)
    shards = _found([Path(folder) for folder in folders])
    first = shards[0]
    for shard in shards[1:]:
        _check_alike(first, shard)
    if store.resolve() in {shard.store.resolve() for shard in shards}:
        raise BadInput(store, "is one of the shards; merge them into another folder")
    clips = [clip.id for clip in Store(first.store).clips]
    entries = {name: _entries(name, clips, shards) for name in first.streams}
    for name in _INDEX:
        there = store / name
        if there.is_file() and there.read_bytes() != (first.store / name).read_bytes():
            raise BadInput(store, f"is another store than {first.store}: its {name} differs")
    with locked(store):
        for folder in (store, *(path for path in store.rglob("*") if path.is_dir())):
            sweep(folder)
        absent = {}
        for name, stream in progress(first.streams.items(), "merge"):
            spec, path = StreamSpec.from_json(stream.spec), stream_path(store, name)
            absent[name] = write_stream(path, spec, entries[name], stream.folds is not None)
            _copy_network(spec, shards, store)
        rows = [row for shard in shards for row in shard.failures]
        others = [row for row in read_failures(store) if row[1] and row[1] not in first.streams]
        write_csv(store / "failures.csv", ("clip", "stream", "reason"), sorted(rows + others))
        for name in _INDEX:  # at the end: what has no index is no store yet
            _copy(first.store / name, store / name)
    return Merged(len(clips), absent, sorted(rows))


def _found(folders: Sequence[Path]) -> list[Shard]:
    """All shards in the order of their numbers, each once."""
    shards: dict[Share, Shard] = {}
    for folder in folders:
        Store(folder)  # it is one, and what it is about is whole
        if not (here := read_shards(folder)):
            raise BadInput(
                folder, "holds no finished shard; finish it: affuse prepare ... --shard I/N"
            )
        for shard in here:
            if (other := shards.get(shard.share)) is not None:
                raise BadInput(folder, f"is shard {shard.share}, and so is {other.store}")
            shards[shard.share] = shard
    first = next(iter(shards.values()))
    for shard in shards.values():
        if shard.share.of != first.share.of:
            told = f"is shard {shard.share}; {first.store} is shard {first.share}"
            raise BadInput(shard.store, told)
    missing = [Share(k + 1, first.share.of) for k in range(first.share.of)]
    if lacking := [str(share) for share in missing if share not in shards]:
        are = "shard {} is" if len(lacking) == 1 else "shards {} are"
        raise AffuseError(f"{are.format(', '.join(lacking))} missing")
    return [shards[share] for share in missing]


def _check_alike(one: Shard, other: Shard) -> None:
    """Refuse a shard of another corpus, or of streams that were made in another way."""
    ours, theirs = Store(one.store), Store(other.store)
    if ours.corpus != theirs.corpus:
        raise BadInput(other.store, f"is of {theirs.corpus}; {one.store} is of {ours.corpus}")
    if ours.changes != theirs.changes:
        said = [" and ".join(x.changes) or "nothing" for x in (theirs, ours)]
        reason = f"is of recordings with {said[0]} changed; {one.store} with {said[1]}"
        raise BadInput(other.store, reason)
    for name in _INDEX:
        if (one.store / name).read_bytes() != (other.store / name).read_bytes():
            raise BadInput(other.store, f"is of other clips than {one.store}: its {name} differs")
    if differing := sorted(one.streams.keys() ^ other.streams.keys()):
        has, lacks = (one, other) if differing[0] in one.streams else (other, one)
        raise BadInput(lacks.store, f"has no stream {differing[0]}, which {has.store} has")
    for name, stream in other.streams.items():
        specs = [StreamSpec.from_json(x.spec) for x in (stream, one.streams[name])]
        try:
            check_same_stream(specs[0], specs[1], f"that of {one.store} is made")
        except AffuseError as error:
            raise BadInput(other.store, str(error)) from error


def _entries(name: str, clips: Sequence[str], shards: Sequence[Shard]) -> list[Entry]:
    """The clips of a stream in the corpus' order, but for those that failed.

    Raises:
        BadInput: A part is missing or damaged.
    """
    found = []
    for place, clip in enumerate(clips):
        shard = shards[place % len(shards)]
        stream: ShardStream = shard.streams[name]
        if clip in stream.failed:
            continue
        path = part_path(shard.store / "parts" / stream.parts, clip)
        if not path.is_file():
            raise BadInput(path, "is missing; copy the shard again, or run its prepare again")
        fold = (stream.folds or {}).get(clip)
        found.append(part_entry(path, clip, fold))
    return found


def _copy_network(spec: StreamSpec, shards: Sequence[Shard], store: Path) -> None:
    """Take over the frozen network that a stream was computed with, where it was kept."""
    digest = spec.recipe.get("weights")
    for shard in shards if digest else ():
        path = network_path(shard.store, str(digest))
        if path.is_file():
            _copy(path, network_path(store, str(digest)))
            return


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
