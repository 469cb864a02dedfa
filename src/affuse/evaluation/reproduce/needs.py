"""What a row needs and is not here: recordings and weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from affuse.corpora.clip import Corpus
from affuse.evaluation.reproduce.rows import Row
from affuse.features.catalogue import Sources, imported_streams, pattern_of, source_of
from affuse.training.recipe import Recipe

_KINDS = {"audio": "sound", "video": "images"}


def absent(
    row: Row,
    recipes: Sequence[Recipe],
    corpus: Corpus | None,
    sources: Sources,
    stored: Sequence[str] = (),
    changes: Sequence[str] = (),
) -> list[str]:
    """What is not here, one phrase each.

    Args:
        row: The row.
        recipes: Those that are to be trained.
        corpus: The recordings; None where nothing but a store is given.
        sources: Imported stream -> its source.
        stored: Streams that the store holds already.
        changes: Of the user; `backbone=` alone begins with fresh weights.
    """
    streams = dict.fromkeys(name for recipe in recipes for name in recipe.streams)
    todo = [name for name in streams if name not in stored]
    found = [*_recordings(row, corpus, todo), *_weights(row, todo, sources)]
    said = any(change.startswith("backbone=") for change in changes)
    if "backbone" in row.weights and not said and any(map(takes_backbone, recipes)):
        found.append(f"backbone=FILE: {row.weights['backbone']}")
    return list(dict.fromkeys(found))


def _recordings(row: Row, corpus: Corpus | None, streams: Sequence[str]) -> Iterator[str]:
    if not streams:
        return
    if corpus is None:
        yield f"--root: the recordings of {row.corpus} (affuse fetch {row.corpus} DIR)"
        return
    imported = imported_streams()
    for kind, what in _KINDS.items():
        wanted = [n for n in streams if n.startswith(kind) and pattern_of(n) not in imported]
        has = any(
            clip.audio if kind == "audio" else clip.video or clip.images for clip in corpus.clips
        )
        if wanted and not has:
            yield (
                f"{what} of {row.corpus} for {', '.join(wanted)}: {corpus.root} holds none "
                f"(affuse fetch {row.corpus} DIR)"
            )


def _weights(row: Row, streams: Sequence[str], sources: Sources) -> Iterator[str]:
    for name in streams:
        if pattern_of(name) in imported_streams() and source_of(name, sources) is None:
            yield f"--source {name}=FILE: {row.weights.get(name, 'its weights or features')}"


def takes_backbone(recipe: Recipe) -> bool:
    """Whether images pass a backbone in training, not before."""
    return any(name.startswith(("video/faces", "video/aligned")) for name in recipe.streams)
