"""What a model file says about the data that its weights have learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from affuse.corpora.together import TOGETHER


def trainings(record: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The record of a training, of each of its parts, and of the models that these began with.

    Args:
        record: `ModelSpec.training`.
    """
    parts = record.get("parts")
    if isinstance(parts, Mapping):
        for part in parts.values():
            yield from trainings(part)
    else:
        yield record
    if "init" in record:
        yield from trainings(record["init"]["training"])


def source_of(record: Mapping[str, Any]) -> str:
    """The corpus of a training as its record names it; empty where it does not."""
    return str(record.get("corpus") or record.get("data") or "")


def is_corpus(source: str, corpus: str) -> bool:
    """Whether a source is a corpus, or names it: `Aff-Wild2 (validation set)` is `affwild2`.

    Of several corpora, `a+b`, one is enough.
    """
    return any(_letters(name) in _letters(source) for name in corpus.split(TOGETHER))


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
