"""What a shard of the clips tells of itself, so that shards on several disks can be made one store.

`parts/shards/<I>-<N>.json` lies with the parts of its streams and goes with them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Clip
from affuse.errors import BadInput
from affuse.execution.files import write_json
from affuse.execution.sharing import Share
from affuse.features.extractor import Extractor, OutOfFold
from affuse.features.parts import part_path, read_facts, read_part
from affuse.features.work import place_of

Row = tuple[str, str, str]


@dataclass(frozen=True)
class ShardStream:
    """One stream of a shard.

    Args:
        spec: Of the stream, as JSON.
        parts: Name of the folder of its parts.
        failed: Clips of which there is no part.
        folds: Clip -> the part of the clips that the model behind it was not trained on; None where
            the stream is of no such models.
    """

    spec: dict[str, Any]
    parts: str
    failed: list[str]
    folds: dict[str, str] | None = None


@dataclass(frozen=True)
class Shard:
    """A finished shard.

    Args:
        store: Folder that it lies in.
        share: Which part of the clips.
        streams: By name.
        failures: (clip id, stream, reason), as of a store.
    """

    store: Path
    share: Share
    streams: dict[str, ShardStream]
    failures: list[Row]


def record_shard(
    store: Path,
    share: Share,
    clips: Sequence[Clip],
    every: Sequence[Extractor],
    parts: Mapping[str, Path],
    failed: Mapping[tuple[str, str], str],
    told: Collection[str],
    streams: Collection[str],
) -> None:
    """Write down that a shard is finished, and what failed in it.

    Args:
        store: Folder.
        share: Which part of the clips.
        clips: Those clips.
        every: Extractors of all streams.
        parts: Stream -> folder of its parts.
        failed: (clip id, stream) -> reason, of those without a part.
        told: Streams whose failures are told.
        streams: Those of them that a clip should have at least one present frame of.
    """
    before = [shard for shard in read_shards(store) if shard.share == share]
    rows = {key: reason for key, reason in failed.items() if key[1] in told}
    said: dict[str, list[str]] = {}
    present: set[str] = set()
    for clip in clips:
        for name in told:
            if (clip.id, name) not in failed:
                path = part_path(parts[name], clip.id)
                if not path.is_file():
                    return  # an earlier store has it: there is nothing to merge
                facts = read_facts(path)
                said.setdefault(clip.id, []).extend(facts.get("notes", []))
                if "broken" in facts:
                    rows[clip.id, name] = facts["broken"]
                if name in streams and read_part(path, whole=False).mask.any():
                    present.add(clip.id)
    failures = [(*key, reason) for key, reason in rows.items()]
    lost = {clip for clip, _, _ in failures}
    notes = {clip: sorted(set(lines)) for clip, lines in said.items()}
    failures += empty_clips([c for c in clips if c.id not in lost], notes, present.__contains__)
    found = {}
    for e in every:
        folds = {c.id: f for c in clips if (f := e.fold(c))} if isinstance(e, OutOfFold) else None
        name = e.spec.name
        gone = [clip for clip, stream in failed if stream == name]
        found[name] = ShardStream(e.spec.to_json(), parts[name].name, gone, folds)
    for shard in before:
        found = shard.streams | found
        failures += [row for row in shard.failures if row[1] and row[1] not in told]
    facts = {
        "share": str(share),
        "streams": {name: asdict(stream) for name, stream in found.items()},
        "failures": sorted(failures),
    }
    write_json(_folder(store) / f"{share.number}-{share.of}.json", facts)


def read_shards(store: Path) -> list[Shard]:
    """The finished shards that lie in a folder.

    Raises:
        BadInput: What one tells is damaged.
    """
    found = []
    for path in sorted(_folder(store).glob("*.json")):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            streams = {name: ShardStream(**stream) for name, stream in facts["streams"].items()}
            rows = [(str(clip), str(name), str(why)) for clip, name, why in facts["failures"]]
            found.append(Shard(store, Share.parse(facts["share"]), streams, rows))
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            reason = f"is damaged ({error}); run the same prepare --shard again"
            raise BadInput(path, reason) from error
    return found


def _folder(store: Path) -> Path:
    return store / "parts" / "shards"


def empty_clips(
    clips: Sequence[Clip], notes: Mapping[str, Sequence[str]], present: Callable[[str], bool]
) -> list[Row]:
    """Clips of which no stream has a single present frame.

    Args:
        clips: Those of which nothing failed.
        notes: Clip id -> what is known of it.
        present: Whether a clip has such a frame.
    """
    return [
        (clip.id, "", "; ".join(notes.get(clip.id, ())) or _nothing(clip))
        for clip in clips
        if not present(clip.id)
    ]


def _nothing(clip: Clip) -> str:
    """Why a clip has nothing in any stream."""
    path = place_of(clip)
    return f"{path}: neither sound nor a face" if path else "there is no recording of it"
