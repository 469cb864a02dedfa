"""What a store is about: `store.json` and the table of clips, and their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from affuse.corpora.clip import Corpus
from affuse.corpora.table import write_clips
from affuse.errors import BadInput
from affuse.execution.files import atomic_path, file_digest, write_json

FORMAT = 1
_KEYS = {"format", "corpus", "task", "classes", "licence", "clips", "changes"}


def write_index(store: Path, corpus: Corpus, changes: Sequence[str] = ()) -> None:
    """Write what a store is about.

    The index has the digest of the table of clips, and while that is replaced those of both.

    Args:
        store: Folder.
        corpus: What it holds.
        changes: Of the recordings.

    Raises:
        BadInput: The folder is already the store of another corpus, or of other changes.
    """
    index, table = store / "store.json", store / "clips.csv"
    if index.is_file():
        try:
            there = json.loads(index.read_text(encoding="utf-8"))
            other, before = there["corpus"], there.get("changes", [])
        except (ValueError, KeyError, TypeError) as error:
            raise BadInput(index, f"is damaged ({error}); prepare into a new folder") from error
        if other != corpus.name:
            raise BadInput(store, f"is a store of corpus {other}, not of {corpus.name}")
        if before != [*changes]:
            said = " and ".join(before) or "nothing"
            raise BadInput(store, f"is a store of recordings with {said} changed")
    facts = {
        "format": FORMAT,
        "corpus": corpus.name,
        "task": corpus.task,
        "classes": list(corpus.classes),
        "licence": corpus.licence,
        **({"changes": [*changes]} if changes else {}),
    }
    with atomic_path(table) as temporary:
        write_clips(temporary, corpus.clips, corpus.root)
        digests = [file_digest(temporary)]
        if table.is_file():
            _write_index(index, facts, [*digests, file_digest(table)])
    _write_index(index, facts, digests)


def _write_index(index: Path, facts: dict[str, Any], clips: list[str]) -> None:
    facts = facts | {"clips": clips}
    write_json(index, facts | {"digest": _digest(facts)})


def read_index(index: Path) -> dict[str, Any]:
    """The index; older ones have no digests.

    Raises:
        ValueError: It is not what was written.
    """
    facts: dict[str, Any] = json.loads(index.read_text(encoding="utf-8"))
    digest = facts.pop("digest", None)
    if unknown := {*facts} - _KEYS:
        raise ValueError(f"unknown {min(unknown)}")
    if ("clips" in facts) != (digest is not None) or (digest and digest != _digest(facts)):
        raise ValueError("it is not what was written")
    return facts


def _digest(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
