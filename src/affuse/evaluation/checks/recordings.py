"""Streams of some clips made anew of their recordings, changed before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from affuse.corpora.clip import Clip
from affuse.errors import AffuseError
from affuse.evaluation.checks.examined import Examined
from affuse.evaluation.checks.outcome import NotApplicable
from affuse.evaluation.surface.stores import ChangedStores
from affuse.features.store import Store
from affuse.inference.extraction import Extraction
from affuse.media.changes.registry import Change, modality_of


@contextmanager
def changed(model: Examined, text: str) -> Iterator[tuple[list[Clip], Store]]:
    """Some clips, and a store with the streams of their changed recordings.

    Args:
        model: What is checked.
        text: The change, as `affuse prepare --change` takes it.

    Raises:
        NotApplicable: The recordings are not known, or a stream cannot be made of them.
        BadInput: They are not where they should be.
    """
    if model.root is None:
        raise NotApplicable("needs the recordings: --root")
    try:
        change = Change.parse(text)
    except AffuseError as error:  # no encoder for it
        raise NotApplicable(str(error)) from error
    modality = modality_of(change.name)
    clips = model.some("audio" if modality == "both" else modality)
    with temporary() as folder:
        stores = _stores(model, clips, Path(folder))
        try:
            stores.touched(change)
        except AffuseError as error:
            raise NotApplicable(f"cannot be made of recordings: {error}") from error
        yield clips, stores.opened(change)


def placed(model: Examined, clips: Sequence[Clip]) -> list[Clip]:
    """Clips of the store with the paths of their recordings.

    Raises:
        NotApplicable: Where they lie is not known.
        BadInput: They do not lie there.
    """
    return _stores(model, clips, Path()).clips


def _stores(model: Examined, clips: Sequence[Clip], folder: Path) -> ChangedStores:
    if model.root is None:
        raise NotApplicable("needs the recordings: --root")
    extraction = model.extraction
    sources = extraction.source if isinstance(extraction.source, Mapping) else {}
    streams = model.spec.streams
    return ChangedStores(model.data, clips, streams, model.root, folder, sources, model.workers)


def check_makes(extraction: Extraction, modality: str) -> None:
    """Refuse a model whose streams of a modality cannot be made of recordings.

    Raises:
        NotApplicable: One cannot, or it reads none.
    """
    names = [name for name, spec in extraction.specs.items() if spec.modality == modality]
    if not names:
        raise NotApplicable(f"the model reads no {'sound' if modality == 'audio' else 'images'}")
    try:
        for name in names:
            extraction.extractor(name)
    except AffuseError as error:
        raise NotApplicable(f"cannot be made of recordings: {error}") from error


def temporary() -> TemporaryDirectory[str]:
    """A folder for streams, removed in the end."""
    return TemporaryDirectory(prefix="affuse-check-")
